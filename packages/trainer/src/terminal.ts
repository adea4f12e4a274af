import type { LogEntry, TrainerState } from './state.js';

// The only file, besides those of the checkpoint package, that knows the platform: is this a terminal, and which one.

/** Where a run reports to. */
export interface Reporter {
  /** A line of text, or several. */
  line(text: string): void;
  begin(state: Readonly<TrainerState>): void | Promise<void>;
  step(state: Readonly<TrainerState>, figures: { loss: number; tokensPerSecond: number }): void;
  log(logs: LogEntry): void;
  end(): void;
}

/** Reports nothing. */
export const SILENT: Reporter = { line() {}, begin() {}, step() {}, log() {}, end() {} };

/**
 * A progress bar with loss, tokens per second and time left where there is a terminal; plain lines elsewhere: in files,
 * in continuous integration, in browsers.
 */
export function createReporter(): Reporter {
  const { process } = globalThis;
  const isTerminal = process?.stderr?.isTTY === true && !process.env.CI;
  return isTerminal ? barReporter() : lineReporter();
}

/** Seconds as `1:02:03`, without hours where there are none. */
export function formatTime(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-:--';
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A log entry as one line: `step 20, epoch 0.5: loss 1.234, learningRate 0.0001`. */
export function formatLog({ step, epoch, ...figures }: LogEntry): string {
  const shown = Object.entries(figures).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
  return `step ${step}, epoch ${Number(epoch.toFixed(2))}: ${shown.join(', ')}`;
}

/** One line a log. `print` is where it goes. */
export function lineReporter(print: (text: string) => void = (text) => console.log(text)): Reporter {
  return {
    line: print,
    begin({ globalStep, maxSteps }) {
      print(globalStep === 0 ? `training: ${maxSteps} steps` : `training: on from step ${globalStep} of ${maxSteps}`);
    },
    step() {},
    log: (logs) => print(formatLog(logs)),
    end() {},
  };
}

type Bar = import('cli-progress').SingleBar;

function barReporter(): Reporter {
  let bar: Bar | null = null;
  const print = (text: string) => {
    bar?.stop(); // else the line would be written into the bar
    console.log(text);
    if (bar) resume(bar);
  };
  let began = performance.now();
  let first = 0;
  let now = { step: 0, total: 0, payload: {} };
  const resume = (bar: Bar) => bar.start(now.total, now.step, now.payload);
  return {
    line: print,
    async begin({ globalStep, maxSteps }) {
      const { SingleBar, Presets } = await loadProgress();
      began = performance.now();
      first = globalStep;
      now = { step: globalStep, total: maxSteps, payload: { loss: '-', speed: '-', left: '-:--' } };
      const format = '{bar} {value}/{total} steps | loss {loss} | {speed} tokens/s | {left} left';
      bar = new SingleBar({ format, hideCursor: true, clearOnComplete: false }, Presets.shades_classic);
      resume(bar);
    },
    step({ globalStep, maxSteps }, { loss, tokensPerSecond }) {
      const seconds = (performance.now() - began) / 1000;
      const left = formatTime((seconds / (globalStep - first)) * (maxSteps - globalStep));
      now = {
        step: globalStep,
        total: maxSteps,
        payload: { loss: loss.toFixed(4), speed: Math.round(tokensPerSecond), left },
      };
      bar?.update(globalStep, now.payload);
    },
    log: (logs) => print(formatLog(logs)),
    end() {
      bar?.stop();
      bar = null;
    },
  };
}

async function loadProgress() {
  const module = await import('cli-progress');
  return module.default ?? module;
}
