import type { NodeVerification } from "../../../provider/verify/nodeVerification";

export const digest = (letter: string): `sha256:${string}` => `sha256:${letter.repeat(64)}`;

/** A node on which all went well. */
export function proven(node: string): NodeVerification {
  return {
    node,
    containerd: "1.7.24",
    verdict: "proven",
    hosts: ["gcr.io", "somehost.io"].map((host) => ({
      host,
      endpoints: ["https://172.18.0.20:5000/v2/ns"],
      configured: true,
      proof: "proven",
      verdict: "proven",
    })),
    images: [
      {
        image: "gcr.io/a/b:1",
        mirrorImage: "172.18.0.20:5000/ns/a/b:1",
        expectedDigest: digest("2"),
        publicRepoDigest: digest("2"),
        mirrorRepoDigest: digest("2"),
        match: true,
      },
    ],
  };
}
