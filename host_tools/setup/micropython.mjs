// One script under the WebAssembly port of MicroPython:
//     node micropython.mjs DIRECTORY_OF_THE_PORT ROOT SCRIPT [ARGUMENT...]
// The port has a file system of its own: ROOT's Python files are copied to the same paths in there.

import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [port, root, script, ...args] = process.argv.slice(2);
const skipped = new Set(["build", "node_modules", "__pycache__"]);

function* pythonFiles(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const name = path.join(directory, entry.name);
    if (entry.isDirectory() && !entry.name.startsWith(".") && !skipped.has(entry.name)) yield* pythonFiles(name);
    else if (entry.isFile() && entry.name.endsWith(".py")) yield name;
  }
}

function makeDirectories(fs, directory) {
  if (fs.analyzePath(directory).exists) return;
  makeDirectories(fs, path.dirname(directory));
  fs.mkdir(directory);
}

const { loadMicroPython } = await import(pathToFileURL(path.join(port, "micropython.mjs")));
const micropython = await loadMicroPython({
  heapsize: 16 * 1024 * 1024,
  linebuffer: false,
  stdout: (bytes) => process.stdout.write(bytes),
  stderr: (bytes) => process.stderr.write(bytes),
});

const absolute = path.resolve(script);
for (const name of new Set([absolute, ...pythonFiles(root)])) {
  makeDirectories(micropython.FS, path.dirname(name));
  micropython.FS.writeFile(name, readFileSync(name));
}
micropython.FS.chdir(root);

// SystemExit is caught inside, as only there its code can be read; JSON strings are Python strings.
process.exitCode = 0;
globalThis.leave = (code) => (process.exitCode = code);
try {
  micropython.runPython(`
import js, sys
sys.path.insert(0, ${JSON.stringify(root)})
sys.argv[:] = ${JSON.stringify([script, ...args])}
try:
    execfile(${JSON.stringify(absolute)})
except SystemExit as leaving:
    code = leaving.args[0] if leaving.args else 0
    js.leave(code if isinstance(code, int) else 1 if code else 0)
`);
} catch (error) {
  if (error.name !== "PythonError") throw error;
  console.error(error.message);
  process.exitCode = 1;
}
