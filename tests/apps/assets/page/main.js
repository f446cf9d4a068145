import { now } from "./now.js";

document.title = `made by a bundler at ${now()}`;
