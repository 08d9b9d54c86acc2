import * as v from 'valibot';

/** How pictures become a model's input; what is left out is guessed from the input's shape and type. */
export interface ImageSettings {
  /** 'fit' keeps the whole picture and pads it, 'cover' crops, 'stretch' changes its aspect. */
  readonly resize?: 'fit' | 'cover' | 'stretch' | undefined;
  /** Height and width in pixels. */
  readonly size?: readonly [number, number] | undefined;
  readonly channels?: 'RGB' | 'BGR' | 'RGBA' | 'gray' | undefined;
  /** Of each channel, or one for all: a pixel from 0 to 1 becomes (pixel - mean) / std. */
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
  readonly layout?: 'NCHW' | 'NHWC' | undefined;
}

/** How calibration data becomes the inputs of a model. */
export interface CalibrationSettings {
  readonly images?: ImageSettings | undefined;
}

/** What must be an object: a schema all of whose fields may be left out takes an array for one, too. */
export function anObject<const S extends v.GenericSchema>(schema: S) {
  const isObject = (value: unknown): boolean => typeof value === 'object' && !Array.isArray(value);
  return v.pipe(v.custom<v.InferInput<S>>(isObject, 'an object'), schema);
}

/** A side of a picture: as a square, 2^26 pixels. */
const pixels = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(8192));

const channelValues = (value: v.GenericSchema<number>) =>
  v.pipe(v.array(value), v.minLength(1, 'a value of each channel, or one for all'), v.maxLength(4));

/** Checks ImageSettings. */
export const imageFields = {
  resize: v.optional(v.picklist(['fit', 'cover', 'stretch'])),
  size: v.optional(v.tuple([pixels, pixels])),
  channels: v.optional(v.picklist(['RGB', 'BGR', 'RGBA', 'gray'])),
  mean: v.optional(channelValues(v.pipe(v.number(), v.finite('a finite number')))),
  std: v.optional(channelValues(v.pipe(v.number(), v.finite('a finite number'), v.gtValue(0)))),
  layout: v.optional(v.picklist(['NCHW', 'NHWC'])),
};

/** Checks CalibrationSettings. */
export const calibrationFields = { images: v.optional(anObject(v.strictObject(imageFields))) };
