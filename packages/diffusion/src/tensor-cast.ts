/** Casts between our numbers and what a graph declares: exports of the same model differ in dtypes and in the timestep's rank. */

import { DiffusionError } from './errors.ts';
import { fromHalf, toHalf } from './float16.ts';

/** What a graph says of one input or output; symbolic dimensions are names. */
export interface TensorDeclaration {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

/** Numbers on their way into a graph: float data, or whole numbers such as token ids. */
export interface FeedTensor {
  readonly data: ArrayLike<number>;
  readonly dims: readonly number[];
}

/** A feed in the graph's own dtype and rank. */
export interface CastTensor {
  readonly type: 'float32' | 'float64' | 'float16' | 'int32' | 'int64';
  readonly data: Float32Array | Float64Array | Uint16Array | Int32Array | BigInt64Array;
  readonly dims: readonly number[];
}

/** Casts a feed to the declared dtype; throws `unsupported` for a dtype that no diffusion export uses. */
export function castFeed(feed: FeedTensor, declaration: TensorDeclaration): CastTensor {
  const dims = matchRank(feed.dims, declaration);
  switch (declaration.type) {
    case 'float32':
      return {
        type: 'float32',
        data: feed.data instanceof Float32Array ? feed.data : Float32Array.from(feed.data),
        dims,
      };
    case 'float64':
      return { type: 'float64', data: Float64Array.from(feed.data), dims };
    case 'float16':
      return { type: 'float16', data: toHalf(feed.data), dims };
    case 'int32':
      return { type: 'int32', data: Int32Array.from(feed.data), dims };
    case 'int64':
      // A fractional timestep loses its fraction, as in a cast of torch or numpy.
      return {
        type: 'int64',
        data: BigInt64Array.from(Array.from(feed.data, (value) => BigInt(Math.trunc(value)))),
        dims,
      };
    default:
      throw new DiffusionError(
        'unsupported',
        `The graph input ${declaration.name} has the unsupported type ${declaration.type}.`,
      );
  }
}

/** Casts a graph's output to float32; float16 arrives as bits. */
export function castOutput(name: string, type: string, data: unknown): Float32Array {
  if (type === 'float32' && data instanceof Float32Array) return data;
  if (type === 'float16' && data instanceof Uint16Array) return fromHalf(data);
  if (type === 'float64' && data instanceof Float64Array) return Float32Array.from(data);
  throw new DiffusionError('unsupported', `The graph output ${name} has the unsupported type ${type}.`);
}

/** A single number may be declared as a scalar or as a list of one; every other rank has to match. */
function matchRank(dims: readonly number[], declaration: TensorDeclaration): readonly number[] {
  const rank = declaration.shape.length;
  if (dims.length === rank) return dims;
  if (dims.length <= 1 && rank <= 1 && (dims[0] ?? 1) === 1) return rank === 0 ? [] : [1];
  throw new DiffusionError(
    'model_folder_invalid',
    `The graph input ${declaration.name} has shape [${declaration.shape.join(', ')}]; expected ${dims.length} dimensions.`,
  );
}
