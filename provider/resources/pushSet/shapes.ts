import { any, flag, optionalText, secret, text, texts } from "../arguments/kinds";
import type { Shape } from "../arguments/shape";

const endpointWay = "a registry's address, HOST:PORT or HOST:PORT/NAMESPACE";

/** Values as they are once they are known; names are the arguments'. `required`: nothing can be made without. */
export const shapes = {
  required: { fields: { registry: any } },
  endpoint: { kind: "text", way: endpointWay },
  source: { fields: { source: text, spoolDir: optionalText, maxDecodedBytes: { kind: "bytes", optional: true } } },
  sources: {
    fields: { source: { list: text }, spoolDir: optionalText, maxDecodedBytes: { kind: "bytes", optional: true } },
  },
  ca: { fields: { caCert: optionalText, caCertPath: optionalText } },
  settings: {
    fields: {
      registry: { fields: { username: optionalText, dockerConfigPath: optionalText, insecure: flag } },
      include: texts,
      exclude: texts,
      deleteImages: flag,
    },
  },
  patterns: { fields: { include: texts, exclude: texts } },
  probe: { kind: "text", optional: true, way: "a repository, or false for no probe" },
  secrets: { fields: { registry: { fields: { password: secret, proxy: { ...secret, empty: false } } } } },
} as const satisfies Record<string, Shape>;
