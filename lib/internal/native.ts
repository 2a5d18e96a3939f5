/**
 * The addon's function table as TypeScript sees it. Handles are type-tagged Externals; every function checks its
 * arguments' tags and kinds, and throws an error with a `torch` property (see `errors.ts`) for whatever libtorch refuses.
 * Arrays that the addon returns belong to the realm that loaded it: copy them before they reach a user.
 */
declare const brand: unique symbol;
interface Handle<Kind extends string> {
  readonly [brand]: Kind;
}

export type TensorHandle = Handle<'tensor'>;
export type ModuleHandle = Handle<'module'>;
/** One of libtorch's own optimizers. */
export type OptimizerHandle = Handle<'optimizer'>;
/** An optimizer's tensors, ready for the fused kernels. */
export type PlanHandle = Handle<'plan'>;
export type GeneratorHandle = Handle<'generator'>;
/** A node of the autograd graph. */
export type NodeHandle = Handle<'node'>;
/** A mark in a stream of a GPU's work. */
export type EventHandle = Handle<'event'>;
/** Recorded work of a GPU. */
export type GraphHandle = Handle<'graph'>;

/** The data types of tensors, by PyTorch's names. */
export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'complex64'
  | 'complex128';

/** Where a tensor lives. */
export type Device = 'cpu' | 'cuda' | `cuda:${number}` | 'meta';

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** The number of a stream of a GPU. */
export type StreamId = number | bigint;

/** Runs the gradient hook `id`; a returned handle replaces the gradient. */
export type GradHookRunner = (id: number, grad: TensorHandle) => TensorHandle | undefined;
/** Runs the forward hook `id` of a native module; a returned handle replaces the output. */
export type ForwardHookRunner = (
  id: number,
  input: TensorHandle,
  output: TensorHandle,
) => TensorHandle | undefined;

/** A value of an optimizer's state. */
export type NativeState = number | TensorHandle | TensorHandle[];

/** What is known of the memory of a GPU. */
export type MemoryFigure =
  | 'allocated'
  | 'maxAllocated'
  | 'reserved'
  | 'maxReserved'
  | 'active'
  | 'maxActive'
  | 'free'
  | 'total'
  | 'allocRetries'
  | 'outOfMemory';

/** What the driver says of a GPU; sizes in bytes. */
export interface GpuProperties {
  readonly name: string;
  /** The compute capability is `major.minor`. */
  readonly major: number;
  readonly minor: number;
  readonly totalMemory: number;
  readonly multiProcessorCount: number;
  readonly warpSize: number;
  readonly maxThreadsPerMultiProcessor: number;
  /** At most, where a kernel asks for it. */
  readonly sharedMemoryPerBlock: number;
  readonly l2CacheSize: number;
}

/** NVIDIA's driver. */
export interface NativeDriver {
  /** The newest CUDA that it serves, such as 13000; 0 without a driver. */
  readonly cudaVersion: number;
  readonly gpus: readonly GpuProperties[];
}

export interface Native {
  // what was built and loaded
  info(): { readonly napiVersion: number; readonly libtorch: string; readonly cuda: boolean };
  /** What libtorch was compiled with, as it tells it. */
  buildConfig(): string;

  // operators
  /** The schemas of every `aten::` operator, as libtorch prints them. */
  schemas(): string[];
  /** The schemas of every overload of one operator; none where this libtorch lacks it. */
  overloads(name: string): string[];
  /** The schema of one overload as libtorch prints it, or undefined where this libtorch lacks it. */
  schema(name: string, overload: string): string | undefined;
  /**
   * Prepares calls whose arguments come in the order of `argumentNames`; the rest take the schema's defaults. An empty
   * name holds the place of an argument that this libtorch lacks.
   */
  findOp(name: string, overload: string, argumentNames: readonly string[]): number;
  /** Calls a prepared operator. Returned tensors that are a written argument come back as undefined. */
  callOp(id: number, ...args: readonly unknown[]): unknown;
  /** Tells whether an operator changes an argument, so that a call that failed half-way can't be made again. */
  opWrites(id: number): boolean;

  // tensors
  fromData(
    data: TypedArray,
    shape: readonly number[],
    dtype: string,
    device: string | undefined,
  ): TensorHandle;
  /** Copies all elements, row-major, into `into`, whose element type must be the tensor's (float32 for half types). */
  copyOut(tensor: TensorHandle, into: TypedArray): void;
  item(tensor: TensorHandle): number | bigint | boolean;
  /** Writes the sizes into `into` and returns how many there are. */
  sizes(tensor: TensorHandle, into: Float64Array): number;
  strides(tensor: TensorHandle, into: Float64Array): number;
  dtype(tensor: TensorHandle): DType;
  device(tensor: TensorHandle): Device;
  isContiguous(tensor: TensorHandle): boolean;
  requiresGrad(tensor: TensorHandle): boolean;
  setRequiresGrad(tensor: TensorHandle, on: boolean): void;
  isLeaf(tensor: TensorHandle): boolean;
  version(tensor: TensorHandle): number;
  /** `tensor.data = value`: another storage under the same tensor object. */
  setData(tensor: TensorHandle, value: TensorHandle): void;
  sameTensor(a: TensorHandle, b: TensorHandle): boolean;
  dispose(tensor: TensorHandle): void;

  // autograd
  /** The gradient: undefined when it is the tensor that `known` holds, null when there is none. */
  grad(tensor: TensorHandle, known: TensorHandle | undefined): TensorHandle | null | undefined;
  setGrad(tensor: TensorHandle, grad: TensorHandle | null): void;
  hasGrad(tensor: TensorHandle): boolean;
  retainGrad(tensor: TensorHandle): void;
  gradFn(tensor: TensorHandle): NodeHandle | null;
  nodeName(node: NodeHandle): string;
  nextNodes(node: NodeHandle): (NodeHandle | null)[];
  /** A number for a hook, unique in this environment: jest's realms share one. */
  newHook(): number;
  addGradHook(tensor: TensorHandle, id: number): number;
  removeGradHook(tensor: TensorHandle, position: number): void;
  /** The ids of hooks whose tensor or graph is gone; each is told once. */
  takeDeadHooks(): number[];
  backward(
    roots: readonly TensorHandle[],
    gradients: readonly (TensorHandle | null)[],
    retainGraph: boolean,
    createGraph: boolean,
    inputs: readonly TensorHandle[],
    hooks: GradHookRunner,
    /** Hooks may fire on what lies on a GPU: the pass then runs on a thread of its own. */
    elsewhere: boolean,
  ): void;
  gradients(
    outputs: readonly TensorHandle[],
    inputs: readonly TensorHandle[],
    gradients: readonly (TensorHandle | null)[],
    retainGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
    hooks: GradHookRunner,
    elsewhere: boolean,
  ): (TensorHandle | null)[];
  /** Returns what it was before. */
  setGradEnabled(on: boolean): boolean;
  isGradEnabled(): boolean;

  // autocast, of this thread
  /** The dtype that operators of a device are cast to; undefined where its autocast is off. */
  autocastDtype(device: string): DType | undefined;
  /** Turns autocast of a device on, to float16 or bfloat16, or off. */
  setAutocast(device: string, dtype: DType | undefined): void;
  /** Whether casts of parameters are kept within a region; returns what it was before. */
  setAutocastCache(on: boolean): boolean;
  enterAutocast(): void;
  /** Forgets the casts that were kept, when the outermost region ends. */
  leaveAutocast(): void;

  // runtime
  manualSeed(seed: bigint): void;
  setNumThreads(count: number): void;
  numThreads(): number;
  setDeterministic(on: boolean, warnOnly: boolean): void;
  /** Where tensors are made of numbers, of this environment; the CPU where it is undefined. */
  setDefaultDevice(device: string | undefined): void;
  defaultDevice(): Device | undefined;
  createGenerator(device: string): GeneratorHandle;
  defaultGenerator(device: string): GeneratorHandle;
  generatorSetSeed(generator: GeneratorHandle, seed: bigint): void;
  generatorState(generator: GeneratorHandle): TensorHandle;
  generatorSetState(generator: GeneratorHandle, state: TensorHandle): void;
  /** Writes [live tensor handles of this environment, bytes given out by libtorch's CPU allocator]. */
  memory(into: Float64Array): void;
  /** Calls `listener` with what libtorch warns of, after the call that it warned in; holds it weakly. */
  onWarning(listener: (text: string) => void): void;

  // modules
  createLayer(kind: string, options: Readonly<Record<string, unknown>>): ModuleHandle;
  moduleForward(
    module: ModuleHandle,
    input: TensorHandle,
    hooks: ForwardHookRunner | undefined,
  ): TensorHandle;
  moduleKind(module: ModuleHandle): string;
  /** The layer's own settings as text: `3, 32, kernel_size=(3, 3)`. */
  moduleRepr(module: ModuleHandle): string;
  /** The direct children with their names. */
  moduleChildren(module: ModuleHandle): [string, ModuleHandle][];
  /** The module's own parameters or buffers with their names. */
  moduleTensors(module: ModuleHandle, which: 'parameters' | 'buffers'): [string, TensorHandle][];
  moduleRegisterBuffer(module: ModuleHandle, name: string, value: TensorHandle): void;
  moduleTrain(module: ModuleHandle, on: boolean): void;
  moduleIsTraining(module: ModuleHandle): boolean;
  moduleClone(module: ModuleHandle): ModuleHandle;
  moduleAddHook(module: ModuleHandle, id: number): void;
  moduleRemoveHook(module: ModuleHandle, id: number): void;
  moduleDispose(module: ModuleHandle): void;

  // the fused step
  /** Plans steps over parameters and their states by the numbers of callbacks in `fused.h`, or tells why there are none. */
  fusedPlan(
    callbacks: readonly number[],
    programs: readonly Float64Array[],
    /** Three numbers a state: the array that it is, whether it is one number, and whether it is written. */
    states: readonly number[],
    params: readonly TensorHandle[],
    /** All states of the first parameter, then those of the second, and so on. */
    stateTensors: readonly (TensorHandle | undefined)[],
    groups: readonly number[],
    /** Whether the last state is averaged weights, which callbacks don't touch. */
    averages: boolean,
    bfloat16State: boolean,
  ): PlanHandle | string;
  /**
   * Steps what is active and has a gradient; or changes nothing, and tells why. The layout of the numbers is in `fused.h`. Where
   * the device counts, a step does nothing if the number `skip` there isn't 0.
   */
  fusedStep(
    plan: PlanHandle,
    hypers: Float64Array,
    counters: Float64Array,
    active: Uint8Array,
    /** What is done to all parameters besides: 1 scales gradients, 2 averages weights, 4 restores them, 8 zeroes gradients. */
    extras: number,
    skip: TensorHandle | undefined,
  ): string | undefined;
  /** How often a step passes over memory: again after each sum that something waits for. */
  fusedPasses(plan: PlanHandle): number;
  /**
   * Gives the counters to the device, for steps of these extras: from then on it counts, and `fusedStep` leaves `counters` alone.
   * Or tells why it can't.
   */
  fusedHold(plan: PlanHandle, extras: number, counters: Float64Array): string | undefined;
  /** Hears that the last of these steps was recorded. */
  fusedNoteRecorded(plan: PlanHandle): void;
  /** Writes what the recorded step reads when a graph replays it; or tells why that would be another one than is due. */
  fusedPrepareReplay(
    plan: PlanHandle,
    hypers: Float64Array,
    active: Uint8Array,
  ): string | undefined;
  /** Copies the counters of the device, and waits for them; takes them back with `forGood`. */
  fusedReadCounters(plan: PlanHandle, counters: Float64Array, forGood: boolean): string | undefined;
  /** The norm of all gradients; undefined where they are not all of one dtype, dense and on the CPU. */
  fusedGradNorm(plan: PlanHandle): number | undefined;
  fusedDispose(plan: PlanHandle): void;

  // libtorch's own optimizers
  createOptimizer(
    kind: string,
    params: readonly TensorHandle[],
    settings: readonly (readonly [name: string, value: number])[],
  ): OptimizerHandle;
  optimizerAddParams(optimizer: OptimizerHandle, params: readonly TensorHandle[]): void;
  /** The settings in the order in which `optimizerStep` takes them, as the optimizer was made; switches are 0 or 1. */
  optimizerSettings(optimizer: OptimizerHandle): [name: string, value: number][];
  /**
   * Takes one step. `groupOf` holds the group of each parameter, or -1 to leave it out; `values` the settings of one group
   * after the other. Returns the closure's loss, null without a closure.
   */
  optimizerStep(
    optimizer: OptimizerHandle,
    groupOf: Int32Array,
    values: Float64Array,
    closure: (() => TensorHandle) | undefined,
  ): TensorHandle | null;
  /** What the optimizer keeps for a parameter; the tensors are its own. */
  optimizerState(optimizer: OptimizerHandle, param: number): [key: string, NativeState][];
  optimizerSetState(
    optimizer: OptimizerHandle,
    param: number,
    state: readonly (readonly [key: string, NativeState])[],
  ): void;
  optimizerClearState(optimizer: OptimizerHandle): void;
  optimizerDispose(optimizer: OptimizerHandle): void;
  /** 0 where a tensor has no gradient, 1 where it has a dense one, 2 where it has one of another layout. */
  gradientKind(tensor: TensorHandle): number;

  // CUDA; a stream is the index of its device and a number there
  cudaIsBuilt(): boolean;
  cudaDeviceCount(): number;
  cudaCurrentDevice(): number;
  cudaSetDevice(device: number): void;
  cudaSynchronize(device: number): void;
  cudaCurrentStream(device: number): StreamId;
  cudaDefaultStream(device: number): StreamId;
  /** One of libtorch's pool. */
  cudaPoolStream(device: number, highPriority: boolean): StreamId;
  /** Makes it this thread's current stream of its device, and returns the one before. */
  cudaExchangeStream(device: number, stream: StreamId): StreamId;
  cudaQueryStream(device: number, stream: StreamId): boolean;
  cudaSynchronizeStream(device: number, stream: StreamId): void;
  /** The memory of the tensor, once freed, is not used again before this stream has come as far as now. */
  cudaRecordStream(tensor: TensorHandle, device: number, stream: StreamId): void;
  cudaCreateEvent(enableTiming: boolean): EventHandle;
  cudaRecordEvent(event: EventHandle, device: number, stream: StreamId): void;
  /** Makes the stream wait. */
  cudaWaitEvent(event: EventHandle, device: number, stream: StreamId): void;
  cudaQueryEvent(event: EventHandle): boolean;
  /** Makes this thread wait. */
  cudaSynchronizeEvent(event: EventHandle): void;
  /** Milliseconds. */
  cudaElapsedTime(start: EventHandle, end: EventHandle): number;
  cudaMemoryStats(device: number): Readonly<Record<MemoryFigure, number>>;
  cudaResetPeakMemoryStats(device: number): void;
  cudaEmptyCache(): void;
  /** The driver, asked without libtorch. */
  cudaDriver(): NativeDriver;
  /** One of libtorch's switches for NVIDIA's libraries, such as `cudnn.enabled`. */
  backendSwitch(name: string): boolean;
  setBackendSwitch(name: string, on: boolean): void;
  /** Whether the build had CUDA's headers, which only graphs need. */
  cudaGraphsAreBuilt(): boolean;
  cudaCreateGraph(): GraphHandle;
  /** Records what goes to the current stream, which must not be the default one, instead of doing it. */
  cudaBeginGraph(graph: GraphHandle): void;
  cudaEndGraph(graph: GraphHandle): void;
  cudaReplayGraph(graph: GraphHandle): void;
  cudaDisposeGraph(graph: GraphHandle): void;
}
