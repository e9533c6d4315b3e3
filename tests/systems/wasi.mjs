// wasi.mjs - runs a WASI program by node, with the host's arguments, environment and status, and the
// files of this folder, its parent and TMPDIR:
//
//     node --no-warnings tests/systems/wasi.mjs PROGRAM.wasm [ARGUMENT...]
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const [program, ...rest] = process.argv.slice(2);
const scratch = process.env.TMPDIR ?? '/tmp';
const wasi = new WASI({
    version: 'preview1',
    args: [program, ...rest],
    env: process.env,
    preopens: { '.': '.', '..': '..', [scratch]: scratch },
    returnOnExit: true,
});
const { instance } = await WebAssembly.instantiate(await readFile(program), wasi.getImportObject());

process.exit(wasi.start(instance));
