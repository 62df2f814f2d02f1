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
