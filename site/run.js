// Run it here: the form of a stub's page, and a worker that is started by the first click on Run.
(() => {
    const section = document.querySelector("#run[data-script]");
    const form = section?.querySelector("form");
    if (!form?.hidden) {
        return; // there is none, or it is wired already
    }
    const part = name => section.querySelector(`#run-${name}`);
    const inputs = [...form.querySelectorAll("[data-flag]")];
    const root = new URL(section.dataset.root, location.href);
    const name = () => section.dataset.script.split("/")[1];
    const run = form.querySelector("[type=submit]");
    let worker = null; // it stays for the next run
    let began = 0; // when the present run did; 0 while none does
    let clock = 0;

    const length = () => form.elements["run-length"].value;

    // ---- the form ----
    const read = input => (input.type === "checkbox" ? (input.checked ? "on" : "off") : input.value.trim());

    function fill(input) {
        const value = input.dataset[length()];
        input.value = value;
        input.checked = value === "on";
    }

    // What a command line would be given: whatever differs from the values of that length.
    function flags() {
        const given = length() === "quick" ? ["--quick"] : [];
        for (const input of inputs) {
            const { flag } = input.dataset;
            const value = read(input);
            if (value === input.dataset[length()]) {
                continue;
            }
            if (input.type === "checkbox") {
                given.push(value === "on" ? flag : flag.replace("--", "--no-"));
            } else if (input.classList.contains("run-numbers")) {
                given.push(flag, ...value.split(/[\s,]+/).filter(Boolean));
            } else {
                given.push(`${flag}=${value}`);
            }
        }
        return given;
    }

    function showCommand() {
        const words = ["python3", name(), ...flags()];
        part("command").textContent = words.map(word => (/^[\w.=,+-]+$/.test(word) ? word : `'${word}'`)).join(" ");
    }

    let before = length();

    function changeLength() {
        for (const input of inputs) {
            if (read(input) === input.dataset[before]) {
                fill(input); // what somebody has set stays
            }
        }
        before = length();
    }

    form.addEventListener("input", event => {
        if (event.target.name === "run-length") {
            changeLength();
        }
        showCommand();
    });

    form.addEventListener("reset", event => {
        event.preventDefault(); // the length stays
        inputs.forEach(fill);
        showCommand();
    });

    // ---- a run ----
    form.addEventListener("submit", async event => {
        event.preventDefault();
        if (began) {
            return;
        }
        began = performance.now();
        const mine = began;
        const { script, files } = section.dataset;
        const message = { script, files: JSON.parse(files), root: root.href, arguments: flags() };
        message.full = length() === "full";
        clear();
        await keepForOffline();
        if (began !== mine) {
            return; // stopped meanwhile
        }
        try {
            worker ??= start();
        } catch (error) {
            const served = location.protocol.startsWith("http");
            breakDown(served ? error.message : "the page needs a web server: python3 -m tools book --serve");
            return;
        }
        worker.onmessage = ({ data }) => began === mine && hear(data, message);
        worker.postMessage(message);
    });

    function start() {
        const started = new Worker(new URL("live/worker.js", root), { type: "module" });
        started.onerror = event => {
            event.preventDefault();
            breakDown(event.message || "its files cannot be fetched");
        };
        return started;
    }

    function hear(data, message) {
        if ("stage" in data) {
            say(data.stage);
        } else if ("output" in data) {
            part("output").hidden = false;
            part("output").append(data.output);
        } else if ("progress" in data) {
            part("progress").value = data.progress;
            part("line").textContent = data.line;
        } else if ("broken" in data) {
            breakDown(data.broken);
        } else {
            end(data.ended, message);
        }
    }

    function end(ended, message) {
        const report = [part("output").textContent.trim(), ended.error].filter(Boolean).join("\n");
        part("output").replaceChildren(...report.split("\n").map(row));
        part("output").hidden = !report;
        if (ended.code) {
            finish(ended.traceback ? "Failed" : ended.code === 2 ? "Not started" : "Stopped early", true);
            part("traceback").hidden = !ended.traceback;
            part("traceback").querySelector("pre").textContent = ended.traceback;
            return;
        }
        const { metrics, seconds } = ended.record;
        const native = message.full && section.dataset.native;
        finish(`Done in ${seconds.toFixed(1)} s${native ? `; a native run takes ${native}` : ""}`);
        showRecord(ended.record);
        if (metrics["curve.x"]) {
            draw(metrics["curve.x"], metrics["curve.y"]);
        }
    }

    function breakDown(why) {
        worker?.terminate();
        worker = null;
        finish("Failed", true);
        part("output").hidden = false;
        part("output").textContent = `Python could not go on here: ${why}`;
    }

    part("stop").addEventListener("click", () => {
        worker?.terminate();
        worker = null;
        finish(`Stopped after ${Math.round((performance.now() - began) / 1000)} s`);
        run.focus();
    });

    // ---- what it shows ----
    function say(words) {
        part("status").textContent = words;
    }

    function clear() {
        section.dataset.state = "running";
        for (const name of ["output", "traceback", "curve", "record"]) {
            part(name).hidden = true;
        }
        part("output").textContent = part("line").textContent = "";
        part("progress").removeAttribute("value");
        part("progress").hidden = part("line").hidden = part("result").hidden = false;
        part("stop").hidden = false;
        part("result").scrollIntoView({ block: "nearest" });
        run.disabled = true;
        say("Starting");
        clock = setInterval(() => {
            part("line").dataset.seconds = `${Math.round((performance.now() - began) / 1000)} s`;
        }, 1000);
    }

    function finish(words, failed = false) {
        clearInterval(clock);
        delete part("line").dataset.seconds;
        began = 0;
        section.dataset.state = failed ? "failed" : "done";
        part("progress").hidden = part("line").hidden = part("stop").hidden = true;
        run.disabled = false;
        say(words);
    }

    // A line of the report, which hangs where it is too long.
    function row(text) {
        const line = document.createElement("span");
        const [, verdict, rest] = /^(holds|fails)( .*)/.exec(text) ?? [];
        line.className = "run-row";
        line.textContent = rest ?? text;
        if (verdict) {
            const word = document.createElement("span");
            word.className = `run-${verdict}`;
            word.textContent = verdict;
            line.prepend(word);
        }
        return line;
    }

    function showRecord(record) {
        const link = part("record");
        URL.revokeObjectURL(link.href);
        link.href = URL.createObjectURL(new Blob([JSON.stringify(record)], { type: "application/json" }));
        link.download = name().replace(/\.py$/, `-${record.seed}.json`);
        link.hidden = false;
    }

    // ---- the curve ----
    const WIDTH = 640; // as in the markup
    const HEIGHT = 200;

    function draw(x, y) {
        const known = y.filter(value => value !== null);
        const [low, high] = [Math.min(...known), Math.max(...known)];
        const [first, last] = [x[0], x.at(-1)];
        const across = value => ((value - first) / (last - first || 1)) * WIDTH;
        const up = value => HEIGHT - ((value - low) / (high - low || 1)) * HEIGHT;
        let path = "";
        let pen = "M";
        y.forEach((value, i) => {
            if (value !== null) {
                path += `${pen}${across(x[i]).toFixed(1)} ${up(value).toFixed(1)}`;
            }
            pen = value === null ? "M" : "L"; // a gap where nothing happened
        });
        const ends = `from ${short(y[0])} at ${short(first)} to ${short(y.at(-1))} at ${short(last)}`;
        const figure = part("curve");
        figure.querySelector("svg").setAttribute("aria-label", `The curve of this run, ${ends}`);
        figure.querySelector(".run-drawn").setAttribute("d", path);
        for (const [name, value] of Object.entries({ low, high, first, last })) {
            figure.querySelector(`.run-${name}`).textContent = short(value);
        }
        figure.hidden = !known.length;
    }

    const digits = { maximumSignificantDigits: 3 };
    const short = value => (value === null ? "none" : value.toLocaleString("en-GB", digits));

    // ---- without a network, next time ----
    let kept = null;

    function keepForOffline() {
        kept ??= register().catch(() => {}); // a browser that forbids it runs all the same
        return Promise.race([kept, new Promise(resolve => setTimeout(resolve, 3000))]);
    }

    async function register() {
        const workers = navigator.serviceWorker;
        if (!workers) {
            return;
        }
        await workers.register(new URL("offline.js", root));
        const { active } = await workers.ready;
        const loaded = performance.getEntriesByType("resource").map(entry => entry.name);
        active.postMessage({ keep: [location.href.split("#")[0], ...loaded] });
        if (!workers.controller) {
            await new Promise(resolve => workers.addEventListener("controllerchange", resolve, { once: true }));
        }
    }

    inputs.forEach(fill);
    showCommand();
    form.hidden = false;
})();
