// A module worker: Python and numpy for the browser, which run an experiment's own file, unchanged.
// It is told {script, files, root, arguments} and answers with {stage}, {output}, {progress, line},
// and at last {ended: {code, record, error, traceback}} or {broken: why}.

const HOME = new URL("./pyodide-0.27.7/", import.meta.url).href;
const FOLDER = "/catalogue"; // of the file system in memory, filled anew for each run
const fetched = new Map(); // path -> bytes
let python = null; // the promise of Python with numpy; all runs share it

async function start() {
    const { loadPyodide } = await import(new URL("pyodide.mjs", HOME).href);
    const started = await loadPyodide({ indexURL: HOME, packages: ["numpy"], stdout: () => {} });
    const runner = await bytes(new URL("runner.py", import.meta.url).href);
    started.runPython(new TextDecoder().decode(runner));
    return started;
}

async function bytes(address) {
    const answer = await fetch(address);
    if (!answer.ok) {
        throw new Error(`${address} answers ${answer.status}`);
    }
    return new Uint8Array(await answer.arrayBuffer());
}

async function get(root, path) {
    if (!fetched.has(path)) {
        fetched.set(path, await bytes(new URL(path, root).href));
    }
    return [path, fetched.get(path)];
}

async function run({ script, files, root, arguments: flags }) {
    postMessage({ stage: python ? "Starting" : "Fetching Python and numpy" });
    python ??= start();
    const [ready, ...contents] = await Promise.all([python, ...files.map(path => get(root, path))]);
    for (const [path, content] of contents) {
        const file = `${FOLDER}/${path}`;
        ready.FS.mkdirTree(file.slice(0, file.lastIndexOf("/")));
        ready.FS.writeFile(file, content);
    }
    postMessage({ stage: "Running" });
    const ended = ready.globals.get("run_file")(
        FOLDER,
        script,
        flags,
        output => postMessage({ output }),
        (progress, line) => postMessage({ progress, line }),
    );
    postMessage({ ended: JSON.parse(ended) });
}

onmessage = ({ data }) => run(data).catch(error => postMessage({ broken: String(error.message ?? error) }));
