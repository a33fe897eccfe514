/** Plain tensors between the parts of a pipeline; what a graph wants instead is settled in tensor-cast.ts. */

/** Values in row-major order with their shape; computing is done in float32. */
export interface FloatTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Joins tensors of equal shape on the first (batch) axis. */
export function concatBatch(tensors: readonly FloatTensor[]): FloatTensor {
  const [first] = tensors;
  if (!first) throw new RangeError('concatBatch needs at least one tensor.');
  const data = new Float32Array(tensors.reduce((length, tensor) => length + tensor.data.length, 0));
  let offset = 0;
  for (const tensor of tensors) {
    data.set(tensor.data, offset);
    offset += tensor.data.length;
  }
  const batch = tensors.reduce((size, tensor) => size + tensor.dims[0]!, 0);
  return { data, dims: [batch, ...first.dims.slice(1)] };
}

/** Joins tensors of one sample each that differ only in the second (channel) axis: [1, 4, h, w] and [1, 5, h, w] give [1, 9, h, w]. */
export function concatChannels(tensors: readonly FloatTensor[]): FloatTensor {
  const [first] = tensors;
  if (first?.dims[0] !== 1) throw new RangeError('concatChannels needs tensors of one sample each.');
  const { data } = concatBatch(tensors);
  const channels = tensors.reduce((sum, tensor) => sum + tensor.dims[1]!, 0);
  return { data, dims: [1, channels, ...first.dims.slice(2)] };
}

/** Joins tensors that differ only in the last axis, on that axis: [1, 77, 768] and [1, 77, 1280] give [1, 77, 2048]. */
export function concatLastAxis(tensors: readonly FloatTensor[]): FloatTensor {
  const [first] = tensors;
  if (!first) throw new RangeError('concatLastAxis needs at least one tensor.');
  const widths = tensors.map((tensor) => tensor.dims[tensor.dims.length - 1]!);
  const width = widths.reduce((sum, value) => sum + value, 0);
  const rows = first.data.length / widths[0]!;
  const data = new Float32Array(rows * width);
  let column = 0;
  for (const [index, tensor] of tensors.entries()) {
    for (let row = 0; row < rows; row++) {
      data.set(tensor.data.subarray(row * widths[index]!, (row + 1) * widths[index]!), row * width + column);
    }
    column += widths[index]!;
  }
  return { data, dims: [...first.dims.slice(0, -1), width] };
}

/** Zeros in the shape of another tensor. */
export function zerosLike(tensor: FloatTensor): FloatTensor {
  return { data: new Float32Array(tensor.data.length), dims: tensor.dims };
}
