import type { Digest } from "../../model/digest";

/** What one signature says of an image, to who believes one key. */
export type Judgement =
  | { is: "valid" }
  /** By the key, for another content. */
  | { is: "otherImage"; digest: Digest }
  | { is: "otherKey" }
  /** By a certificate, as cosign signs without a key. */
  | { is: "keyless" }
  /** By the key, and it does not say that the image is signed. */
  | { is: "attestation" }
  | { is: "unreadable" };
