import type { Digest } from "./digest";

/** image-spec v1.1, descriptor.md. Unknown fields travel along untouched: manifests are pushed byte for byte. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  annotations?: Record<string, string>;
  platform?: { architecture: string; os: string; variant?: string; [key: string]: unknown };
  artifactType?: string;
  urls?: string[];
  data?: string;
}

/**
 * Whether a client may fetch the content from somewhere else (image-spec v1.1, descriptor.md "urls"): such a layer need
 * not be in a package or a registry. The media types for non-distributable layers, which are deprecated, say so too,
 * but without a URL nobody can fetch one.
 */
export function isElsewhere({ urls }: Descriptor): boolean {
  return (urls?.length ?? 0) > 0;
}
