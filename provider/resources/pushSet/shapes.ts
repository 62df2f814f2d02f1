import { flag, optionalText, secret, text, texts } from "../arguments/kinds";
import type { Shape } from "../arguments/shape";

const manifestsWay = "the path of a file or folder of manifests, a text as { text }, or an object with a kind";
const registryWay = 'an object, { endpoint: "HOST:PORT" } and how it is reached';
const nodeWay = "an object, { host } and how it is reached over SSH";
const endpointWay = "a registry's address, HOST:PORT or HOST:PORT/NAMESPACE";

/** How a registry is reached, apart from its address and what may be a secret. */
const reaching = {
  username: optionalText,
  dockerConfigPath: optionalText,
  credentialCommand: texts,
  insecure: flag,
  maxBytesPerSecond: { kind: "bytes", optional: true },
  maxParallel: { kind: "count", optional: true },
} as const satisfies Record<string, Shape>;

/** Values as they are once they are known; names are the arguments'. `required`: nothing can be made without. */
export const shapes = {
  required: { fields: { registry: { fields: {}, way: `${registryWay}, or a list of such` } } },
  requiredList: { fields: { registry: { list: { fields: {}, way: registryWay } } } },
  endpoint: { kind: "text", way: endpointWay },
  reading: { fields: { spoolDir: optionalText, maxDecodedBytes: { kind: "bytes", optional: true } } },
  /** An entry of `source` that is a path. */
  path: { kind: "text", way: "the path of an image package, or images by name as { images: [...] }" },
  /** An entry of `source` that lists images. */
  imageList: {
    fields: { images: { list: text }, pin: flag, registries: { fields: {}, optional: true } },
    also: ["platforms"],
  },
  imagesOn: {
    fields: { nodes: { list: { fields: {}, way: nodeWay } }, hosts: { list: text }, running: flag, exclude: texts },
  },
  platforms: { list: "text", optional: true },
  sourceRegistry: {
    fields: {
      endpoint: optionalText,
      proxy: { ...secret, empty: false },
      password: secret,
      ...reaching,
    },
    also: ["caCert", "caCertPath"],
  },
  /** A source of imagesIn that is no object. */
  manifests: { kind: "text", way: manifestsWay },
  manifestText: { fields: { text: { kind: "text", empty: true }, name: optionalText }, also: [] },
  manifestOptions: { fields: { paths: { fields: {}, optional: true } }, also: [] },
  /** Those of one kind in imagesIn's `paths`. */
  imagePaths: { list: text },
  signature: { fields: { path: optionalText, publicKey: optionalText, publicKeyPath: optionalText }, also: [] },
  requiredSigner: { fields: { publicKey: optionalText, publicKeyPath: optionalText, images: texts }, also: [] },
  ca: { fields: { caCert: optionalText, caCertPath: optionalText } },
  settings: {
    fields: {
      include: texts,
      exclude: texts,
      deleteImages: flag,
      preview: { fields: { list: flag }, optional: true, also: [] },
      check: { kind: ["manifests", "blobs"], optional: true },
    },
  },
  prune: {
    fields: {
      nodes: { list: { fields: {}, way: nodeWay }, optional: true },
      running: flag,
      timeout: { kind: "seconds", optional: true },
    },
    optional: true,
    also: ["keep", "layout"],
    way: "an object with keep, and with nodes whose images stay",
  },
  patterns: { fields: { include: texts, exclude: texts } },
  probe: { kind: "text", optional: true, way: "a repository, or false for no probe" },
  reaching: { fields: reaching },
  secrets: { fields: { password: secret, proxy: { ...secret, empty: false } } },
} as const satisfies Record<string, Shape>;
