import type { Digest } from "../../model/digest";
import type { ManifestsByRepository, RecordedImage } from "../sets/pushSetRecord";

/** One image as the registry has it after a push; element of ImagePushSet's `images` output. */
export interface PushedImage {
  /** Public name: `gcr.io/a/b:1`. */
  source: string;
  /** Where it lies: `172.18.0.20:5000/ns/a/b:1` (the public host is dropped, path and tag stay). */
  target: string;
  /** Of the manifest or index that the tag names in the mirror. */
  digest: Digest;
  /** Of that manifest or index: `application/vnd.oci.image.index.v1+json` and the like. */
  mediaType: string;
  /** Bytes of all blobs and manifests of the image, each digest counted once. */
  size: number;
  /**
   * Whether the manifest's bytes are the registry's own, so that the public registry has it under `digest`, too;
   * "unknown" where the package does not tell. The public tag may name an index of several platforms, of which the
   * package has one.
   */
  preserved: boolean | "unknown";
  /** Why `preserved` is not true. */
  reason?: string;
  /** That it has the signatures that requireSigned asks of it; absent where none is asked for. */
  signed?: true;
  /**
   * By which keys: `sha256:` and the first 12 digits of what `openssl pkey -pubin -in KEY -outform der | sha256sum` prints
   * of each. With `signed`.
   */
  signedBy?: string[];
}

/** An image of random content that only the mirror can have. */
export interface Probe {
  /** Path below the mirror's namespace: `registry-mirror-probe/probe`. */
  repository: string;
  /** Random, so that another probe never takes its place. */
  tag: string;
  /** Of its manifest. */
  digest: Digest;
}

export interface PushResult {
  images: PushedImage[];
  /** Images that could not be pushed; the rest is in the registry all the same. */
  failures: { source: string; error: Error; deleting?: true }[];
  /**
   * What an earlier push put under the names that failed now: it is there still, because a failure leaves the tag
   * alone, or deletes nothing.
   */
  kept: PushedImage[];
  /** With `deleteImages`: names that an earlier push brought, and that are gone now. */
  deleted: string[];
  /** With `deleteImages`: names that this push set no longer has, and that stay all the same. */
  left: { name: string; reason: string }[];
  /** Everything that the push set has now. */
  manifests: ManifestsByRepository;
  /** The same by image: of those that are there, and of `kept`. */
  recorded: RecordedImage[];
  stats: { blobsSent: number; blobsMounted: number; blobsPresent: number; bytesSent: number; manifestsSent: number };
}

/** What the admin's machine saw of a mirror's endpoint. */
export interface EndpointSeen {
  /** As given: `https://172.18.0.20:5000/v2/ns`. */
  endpoint: string;
  /** How the registry asks for credentials. */
  auth: "none" | "basic" | "bearer";
  /** Whether the given credentials were accepted ("none" auth: true). */
  authenticated: boolean;
}
