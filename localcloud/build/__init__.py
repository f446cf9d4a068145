"""What is built once per machine: Go programs from their modules, and the toolchain that compiles them."""
