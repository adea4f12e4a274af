import { getSchedule, LearningRateScheduler } from '@burin/optim-paged';
import { noteEvaluation } from './best.js';
import { notify, type TrainerControl, type TrainerEvent } from './callbacks.js';
import { CheckpointKeeper } from './checkpoints/keeper.js';
import type { Dataset } from './data/example.js';
import { DataFeed } from './data/feed.js';
import { findGenerators } from './generators.js';
import { formatMemory, type MemoryReport } from './memory.js';
import { planMemory } from './memory-plan.js';
import type { TrainableModel } from './model.js';
import { defaultOptimizer, type TrainerOptimizer } from './optimizer.js';
import { epochOf, initialState, type LogEntry, type TrainerState } from './state.js';
import { type StepFigures, Stepper } from './step.js';
import type { Trainer, TrainResult } from './trainer.js';

/** One run of a trainer, from its first step or a checkpoint's to its last. */
export class TrainingRun<M extends TrainableModel, E> {
  readonly #trainer: Trainer<M, E>;
  readonly #feed: DataFeed<E>;
  readonly #optimizer: TrainerOptimizer;
  readonly #stepper: Stepper;
  readonly #keeper: CheckpointKeeper;
  readonly #generators: ReturnType<typeof findGenerators>;
  readonly #control: TrainerControl = { shouldStop: false, shouldSave: false, shouldEvaluate: false, shouldLog: false };
  #state: TrainerState;
  #figures: StepFigures = { loss: 0, gradNorm: 0, learningRate: 0 };
  #began = { at: 0, tokens: 0 };

  constructor(trainer: Trainer<M, E>, dataset: Dataset<E>) {
    const { model, args, options, device } = trainer;
    this.#trainer = trainer;
    this.#feed = new DataFeed(dataset, trainer.collator, args);
    const { windowsPerEpoch } = this.#feed;
    const totalSteps = args.maxSteps > 0 ? args.maxSteps : Math.ceil(args.numTrainEpochs * windowsPerEpoch);
    this.#state = initialState(totalSteps, windowsPerEpoch);
    this.#optimizer = options.optimizer ?? defaultOptimizer(model, args);
    const warmupSteps = args.warmupSteps || Math.ceil(args.warmupRatio * totalSteps);
    const schedule = options.schedule?.(totalSteps) ?? getSchedule(args.lrSchedulerType, { warmupSteps, totalSteps });
    const scheduler = new LearningRateScheduler(this.#optimizer, schedule);
    this.#generators = findGenerators(model, options.generators);
    const parts = { model, args, scheduler, optimizer: this.#optimizer, generators: this.#generators };
    this.#stepper = new Stepper({ ...parts, device });
    this.#keeper = new CheckpointKeeper({ ...parts, data: this.#feed.settings, saveExtra: options.saveExtra });
  }

  /** Frees the optimizer's state, unless the optimizer is the caller's, and the gradients. */
  dispose(): void {
    if (!this.#trainer.options.optimizer) this.#optimizer.dispose?.();
    this.#trainer.model.zeroGrad();
    this.#trainer.reporter.end();
  }

  async toEnd(): Promise<TrainResult> {
    const { model, args, device, reporter } = this.#trainer;
    model.zeroGrad();
    model.train();
    const memory = this.#plan();
    const { maxSteps, windowsPerEpoch } = this.#state; // a resumed run may be made longer
    const resumed = await this.#keeper.resume();
    await this.#keeper.prepare();
    this.#state = { ...this.#state, ...resumed, maxSteps, windowsPerEpoch };
    if (resumed) this.#tellLearningRate();
    device.memory.resetPeak();
    await reporter.begin(this.#state);
    this.#began = { at: performance.now(), tokens: this.#state.inputTokens };
    await this.#notify('onTrainBegin');
    while (this.#state.globalStep < this.#state.maxSteps && !this.#control.shouldStop) {
      await this.#step();
      await this.#afterStep();
    }
    await this.#notify('onTrainEnd');
    const measured = { ...memory, measuredPeakBytes: device.memory.peakBytes };
    reporter.end();
    reporter.line(`memory:\n${formatMemory(measured)}`);
    const best = this.#keeper.pathOf(this.#state.bestCheckpoint?.name);
    if (args.loadBestModelAtEnd) await this.#keeper.loadBest(this.#state);
    return {
      globalStep: this.#state.globalStep,
      trainLoss: this.#state.totalLoss / Math.max(1, this.#state.globalStep),
      metrics: this.#state.lastMetrics,
      bestCheckpoint: best,
      memory: measured,
      tokensPerSecond: this.#tokensPerSecond(),
    };
  }

  /** Says what there is to be trained on, and what it will take. */
  #plan(): MemoryReport {
    const { model, args, device, reporter } = this.#trainer;
    const { report } = this.#feed;
    reporter.line(`data: ${report.examples} examples, ${report.trainedTokens} trained tokens or labels in an epoch`);
    if (report.untrained.length > 0) {
      const first = report.untrained.slice(0, 5).join(', ') + (report.untrained.length > 5 ? ', ...' : '');
      reporter.line(`${report.untrained.length} of ${report.examples} examples train nothing: ${first}`);
    }
    const memory = planMemory(model, {
      device,
      longest: (size) => this.#feed.longest(size),
      tokens: this.#feed.mostTokens,
      batchSize: Math.min(args.perDeviceTrainBatchSize, report.examples),
      accumulation: args.gradientAccumulationSteps,
      optimizer: this.#optimizer,
      generators: this.#generators,
      labelSmoothing: args.labelSmoothingFactor,
    });
    reporter.line(`memory:\n${formatMemory(memory)}`);
    return memory;
  }

  /** A resumed run goes on with the optimizer's settings of the checkpoint. */
  #tellLearningRate(): void {
    const { args, options, reporter } = this.#trainer;
    const saved = this.#optimizer.paramGroups.map(({ lr, initialLr = lr }) => initialLr);
    if (options.optimizer || saved.includes(args.learningRate)) return;
    reporter.line(
      `learning rate: ${saved[0]}, as in the checkpoint; learningRate ${args.learningRate} is for a new run`,
    );
  }

  async #step(): Promise<void> {
    const state = this.#state;
    const window = await this.#feed.window(state);
    this.#figures = await this.#stepper.step(window, { step: state.globalStep + 1, checkpoint: this.#keeper.last });
    state.globalStep++;
    state.trainedTokens += window.trained;
    state.inputTokens += window.tokens;
    state.totalLoss += this.#figures.loss;
    state.lossSinceLog += this.#figures.loss;
    state.stepsSinceLog++;
    state.windowInEpoch++;
    this.#trainer.reporter.step(state, { loss: this.#figures.loss, tokensPerSecond: this.#tokensPerSecond() });
  }

  /** Logs, evaluates and saves where it is time, in this order: so a checkpoint knows its own evaluation. */
  async #afterStep(): Promise<void> {
    const { args } = this.#trainer;
    const state = this.#state;
    const control = this.#control;
    const endsEpoch = state.windowInEpoch === state.windowsPerEpoch;
    await this.#notify('onStepEnd');
    if (endsEpoch) {
      await this.#notify('onEpochEnd');
      state.epochIndex++;
      state.windowInEpoch = 0;
    }
    const isLast = state.globalStep === state.maxSteps;
    const due = (strategy: string, every: number) =>
      strategy === 'epoch' ? endsEpoch || isLast : strategy === 'steps' && (state.globalStep % every === 0 || isLast);
    if (control.shouldLog || due(args.loggingStrategy, args.loggingSteps)) await this.#log();
    if (control.shouldEvaluate || due(args.evalStrategy, args.evalSteps)) await this.#evaluate();
    if (control.shouldSave || due(args.saveStrategy, args.saveSteps)) await this.#save();
    control.shouldLog = control.shouldEvaluate = control.shouldSave = false;
  }

  async #log(): Promise<void> {
    const state = this.#state;
    const { gradNorm, learningRate } = this.#figures;
    await this.#addLog({
      loss: state.lossSinceLog / state.stepsSinceLog,
      gradNorm,
      learningRate,
      tokensPerSecond: this.#tokensPerSecond(),
    });
    state.lossSinceLog = 0;
    state.stepsSinceLog = 0;
  }

  async #evaluate(): Promise<void> {
    const metrics = await this.#trainer.evaluate();
    if (noteEvaluation(this.#state, metrics, this.#trainer.args)) this.#control.shouldStop = true;
    await this.#addLog(metrics);
    await notify(this.#callbacks, 'onEvaluate', { ...this.#event, metrics });
  }

  async #save(): Promise<void> {
    const checkpoint = await this.#keeper.save(this.#state);
    await notify(this.#callbacks, 'onSave', { ...this.#event, checkpoint });
  }

  async #addLog(figures: Readonly<Record<string, number>>): Promise<void> {
    const logs: LogEntry = { step: this.#state.globalStep, epoch: epochOf(this.#state), ...figures };
    this.#state.logHistory.push(logs);
    this.#trainer.reporter.log(logs);
    await notify(this.#callbacks, 'onLog', { ...this.#event, logs });
  }

  #tokensPerSecond(): number {
    const seconds = (performance.now() - this.#began.at) / 1000;
    return (this.#state.inputTokens - this.#began.tokens) / Math.max(seconds, 1e-9);
  }

  get #callbacks() {
    return this.#trainer.options.callbacks ?? [];
  }

  get #event(): TrainerEvent {
    return { args: this.#trainer.args, state: this.#state, control: this.#control };
  }

  async #notify(name: 'onTrainBegin' | 'onStepEnd' | 'onEpochEnd' | 'onTrainEnd'): Promise<void> {
    await notify(this.#callbacks, name, this.#event);
  }
}
