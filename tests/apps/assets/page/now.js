export function now() {
  return new Date().getFullYear();
}
