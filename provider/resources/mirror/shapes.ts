import { any, emptyIsNone, flag, optionalText, secret, texts } from "../arguments/kinds";
import type { Shape } from "../arguments/shape";

const mirrorEndpoint = {
  kind: "text",
  way: "the mirror's address, https://HOST:PORT or https://HOST:PORT/v2/NAMESPACE",
} as const;

/** Values as they are once they are known; names are the arguments'. `required`: nothing can be made without. */
export const shapes = {
  required: { fields: { registryMirrors: { list: any }, privateRegistries: { list: any, optional: true } } },
  mirrors: {
    fields: {
      registryMirrors: {
        list: {
          fields: {
            endpoint: mirrorEndpoint,
            caCert: emptyIsNone,
            caCertPath: emptyIsNone,
            hosts: texts,
            skipFallback: flag,
            insecure: flag,
            dialTimeout: { kind: "number", optional: true },
          },
        },
      },
      privateRegistries: { list: { fields: { caCert: emptyIsNone, caCertPath: emptyIsNone } } },
    },
  },
  credentials: {
    fields: {
      registryMirrors: {
        list: {
          fields: {
            endpoint: mirrorEndpoint,
            pullCredentialConfigPath: emptyIsNone,
            username: optionalText,
            password: secret,
          },
        },
      },
      privateRegistries: {
        list: { fields: { pullCredentialConfigPath: emptyIsNone, username: optionalText, password: secret } },
        optional: true,
      },
      gcrKeyPath: optionalText,
      gcrKey: { ...secret, empty: false },
    },
  },
  settings: { fields: { hostsDir: optionalText, checkEndpoints: flag } },
} as const satisfies Record<string, Shape>;
