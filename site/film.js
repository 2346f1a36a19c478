/* The films: play and pause, a scrub bar that steps frame by frame, and a stop on the last frame.

   A film is fetched whole when it is first wanted. It is small, and then every jump is exact and
   instant, on a server that cannot send parts of a file too. Without this script the browser's own
   controls stay. */
"use strict";

(() => {
    const films = [];

    class Film {
        constructor(figure) {
            this.figure = figure;
            this.video = figure.querySelector("video");
            this.button = figure.querySelector(".film-button");
            this.scrub = figure.querySelector(".film-scrub");
            this.clock = figure.querySelector(".film-time");
            this.times = figure.dataset.times.split(" ").map(Number);  // hundredths of a second
            this.seconds = Number(figure.dataset.seconds);
            this.last = this.times.length - 1;
            this.ready = null;  // the promise of a video that can be shown
            this.wanted = false;  // whether it is to play
            this.video.controls = false;
            this.scrub.value = 0;
            this.say("new", "Play the film");
            this.button.addEventListener("click", () => this.toggle());
            figure.querySelector(".film-screen").addEventListener("click", () => this.toggle());
            this.scrub.addEventListener("input", () => this.jump(Number(this.scrub.value)));
            this.video.addEventListener("ended", () => this.end());
            this.video.addEventListener("pause", () => this.paused());
        }

        /* What the button shows and says. */
        say(state, label) {
            this.figure.dataset.state = state;
            this.button.setAttribute("aria-label", label);
        }

        /* The frame that is on the screen at a time in seconds. */
        frame(seconds) {
            const hundredths = 100 * seconds + 0.01;
            let low = 0;
            let high = this.last;
            while (low < high) {
                const middle = (low + high + 1) >> 1;
                if (this.times[middle] <= hundredths) {
                    low = middle;
                } else {
                    high = middle - 1;
                }
            }
            return low;
        }

        /* Bring the bar and the clock to a frame. */
        show(frame, seconds = this.times[frame] / 100) {
            this.scrub.value = frame;
            const all = this.seconds.toFixed(1);
            const now = `${seconds.toFixed(1)} of ${all} s`;
            this.scrub.style.setProperty("--done", `${100 * frame / Math.max(1, this.last)}%`);
            this.scrub.setAttribute("aria-valuetext", `frame ${frame + 1} of ${this.last + 1}, ${now}`);
            this.clock.textContent = `${seconds.toFixed(1)} / ${all} s`;
        }

        /* Fetch the film, once. */
        load() {
            this.ready ??= this.fetched().catch(error => {
                this.ready = null;
                this.wanted = false;
                this.say("broken", "Try to play the film again");
                this.clock.textContent = "cannot be shown here";
                throw error;
            });
            return this.ready;
        }

        async fetched() {
            let source = this.video.getAttribute("src");
            if (location.protocol !== "file:") {
                const answer = await fetch(source);
                if (!answer.ok) {
                    throw new Error(`${source}: ${answer.status}`);
                }
                source = URL.createObjectURL(new Blob([await answer.blob()], {type: "video/mp4"}));
            }
            await new Promise((resolve, reject) => {
                this.video.addEventListener("loadeddata", resolve, {once: true});
                this.video.addEventListener("error", () => reject(this.video.error), {once: true});
                this.video.src = source;
                this.video.preload = "auto";
                this.video.load();
            });
        }

        toggle() {
            if (this.wanted) {
                this.wanted = false;
                this.video.pause();
                this.paused();
            } else {
                this.play();
            }
        }

        async play() {
            for (const other of films) {
                if (other !== this && other.wanted) {
                    other.toggle();
                }
            }
            this.wanted = true;
            this.say("playing", "Pause the film");
            try {
                await this.load();
                if (!this.wanted) {
                    return;
                }
                if (Number(this.scrub.value) === this.last) {
                    this.video.currentTime = 0;
                }
                await this.video.play();
                this.follow();
            } catch {
                this.paused();  // the film is broken, or a pause came first
            }
        }

        /* Keep the bar with the picture while it plays. */
        follow() {
            if (this.wanted && !this.video.paused) {
                this.show(this.frame(this.video.currentTime), this.video.currentTime);
                requestAnimationFrame(() => this.follow());
            }
        }

        /* Half a hundredth into a frame, so that rounding never shows the one before. */
        seek(frame) {
            this.video.currentTime = this.times[frame] / 100 + 0.005;
        }

        /* Stop on a frame. */
        async jump(frame) {
            this.wanted = false;
            this.video.pause();
            this.show(frame);
            this.paused();
            try {
                await this.load();
            } catch {
                return;
            }
            if (!this.wanted) {
                this.seek(Number(this.scrub.value));
            }
        }

        /* A pause, by the button or by the browser. */
        paused() {
            if (this.video.ended || this.figure.dataset.state === "broken") {
                return;
            }
            this.wanted = false;
            if (Number(this.scrub.value) === this.last) {
                this.say("ended", "Play the film again");
            } else {
                this.say("paused", "Play the film");
            }
        }

        end() {
            this.wanted = false;
            this.seek(this.last);  // which a busy browser may have left out
            this.show(this.last, this.seconds);
            this.say("ended", "Play the film again");
        }
    }

    for (const figure of document.querySelectorAll(".film")) {
        films.push(new Film(figure));
    }
})();
