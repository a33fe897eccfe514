/** What turns a request into pixels: the interface that every engine implements, in its own process or behind one. */
import type { ModelCard, ResolvedRequest, TaskType } from '@firepod/contract';
import type { HubDownload } from '@firepod/diffusion';

/** One picture: rows from top to bottom, three bytes (red, green, blue) a pixel, sRGB. */
export interface Frame {
  rgb: Uint8Array;
  widthPx: number;
  heightPx: number;
}

/** A decoded picture that a generation starts from: rows from top to bottom, `channels` bytes a pixel. */
export interface SourcePicture {
  data: Uint8Array;
  width: number;
  height: number;
  /** 1: gray; 3: red, green, blue (sRGB). */
  channels: 1 | 3;
}

/** What img2img and inpaint start from; both pictures have the request's width and height. */
export interface EngineSources {
  image: SourcePicture;
  /** One channel, 255 where to paint and 0 where to keep; inpaint only. */
  mask?: SourcePicture;
}

/** How far a generation has come. Steps count over all pictures of the request. */
export interface EngineProgress {
  phase: 'encoding' | 'denoising' | 'decoding';
  step: number;
  steps: number;
  /** The forming picture at latent size, where the model card has a map from latents to colours. */
  preview?: Frame;
}

/** What an engine made of a request. */
export interface GeneratedFrames {
  /** The pictures in the order of their file names; a video's frames in time. */
  frames: Frame[];
  /** The seed of each picture: with it alone the same picture can be made again. */
  seeds: number[];
  /** Seconds by phase, and in `total`. */
  timings: { total: number } & Record<string, number>;
  /** Sentences for the user on what the engine could not use of the request; absent: none. */
  warnings?: string[];
}

/** Options of one generation. */
export interface GenerateOptions {
  /** Fires when the result is no longer wanted; the engine stops between two steps. */
  signal: AbortSignal;
  onProgress: (progress: EngineProgress) => void;
  /** For the tasks that start from a picture. */
  sources?: EngineSources | undefined;
}

/** What an engine is and has: with a resolved request, enough to make the same bytes again. */
export interface EngineDescription {
  /** The card of the loaded model: tasks, sizes, defaults, limits, vocabulary. */
  card: ModelCard;
  /** Hex digest of the model's files. */
  modelSha256: string;
  engine: { name: string; version: string };
  /** Further models of the same engine, for tasks that this one has not. */
  others?: EngineDescription[];
}

/** The description of the model that does the task; of the first one when none does. */
export function descriptionFor(description: EngineDescription, task: TaskType): EngineDescription {
  const all = [description, ...(description.others ?? [])];
  return all.find(({ card }) => card.tasks.includes(task)) ?? description;
}

/** An engine with its model, or with several: it chooses among them by a request's task. */
export interface Engine {
  describe(): Promise<EngineDescription>;
  /**
   * Makes the frames of one request; one at a time.
   * @throws the signal's reason when it fires; WorkerError for what the request or the machine cannot do
   */
  generate(request: ResolvedRequest, options: GenerateOptions): Promise<GeneratedFrames>;
  /** Frees the model. */
  close(): Promise<void>;
}

/** A model for ONNX Runtime: its folder, or its name on the Hugging Face hub and where its files are kept. */
export type ModelPlace = string | HubDownload;

/** What it takes to start the engine on ONNX Runtime. */
export interface OnnxSettings {
  engine: 'onnx';
  model: ModelPlace;
  /** Models for tasks that the first has not; each is loaded when it is first needed. */
  furtherModels?: ModelPlace[];
  /** What the graphs run on. One that cannot start is an error, never a silent fallback. */
  executionProvider: 'cpu' | 'cuda';
  /** Threads of one operator; null: one per core. */
  threads: number | null;
}

/** What it takes to start the engine on stable-diffusion.cpp's server. */
export interface SdServerSettings {
  engine: 'sd-server';
  /** Manifests by path, or by id in `manifestsFolder`. The first one that has a request's task makes it. */
  models: string[];
  manifestsFolder: string;
  /** Where weights are kept; workers may share it. */
  weightsFolder: string;
  /** The server's program: a path, or a name on PATH. */
  program: string;
  /** GPU memory that the servers of several models may take together, in GiB; null: one server at a time. */
  vramGib: number | null;
}

/** What it takes to start an engine; plain values, because they travel to a child process. */
export type EngineSettings = OnnxSettings | SdServerSettings;
