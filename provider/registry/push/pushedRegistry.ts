import type { FormerImage } from "../sets/formerImages";
import type { Probe, PushedImage } from "./pushResult";

/** One of the registries of a push set, and what lies in it; element of ImagePushSet's `registries` output. */
export interface PushedRegistry {
  /** As given. */
  endpoint: string;
  /** `HOST:PORT`, or `HOST`: the first part of the names of its images. */
  host: string;
  /** What lies in it, in the package's order. */
  images: PushedImage[];
  /** The probe image, the same in all registries; undefined with `probeRepository: false`. */
  probe?: Probe;
  /** Why the last push to it is not complete, a line each. Absent when it is. */
  failures?: string[];
  /** What a refresh found that it lost, or has otherwise. Absent when there is nothing. */
  drift?: string[];
  /** With `prune`: images of earlier pushes that lie there still, and are no longer declared. Absent without `prune`. */
  former?: FormerImage[];
}
