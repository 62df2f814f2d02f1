import type { Problem } from "../../model/problem";
import type { Shape } from "./shape";
import { shapeProblems } from "./shape";

const text = { kind: "text" } as const;
const optionalText = { kind: "text", optional: true } as const;
/** Empty means none: so the fields of a cluster file are written. */
const emptyIsNone = { kind: "text", optional: true, empty: true } as const;
const secret = { kind: "text", optional: true, secret: true, empty: true } as const;
const flag = { kind: "boolean", optional: true } as const;
const texts: Shape = { list: "text", optional: true };
/** Whatever has fields of its own, which are looked at where they are known. */
const any: Shape = { fields: {} };

const mirrorEndpoint = {
  kind: "text",
  way: "the mirror's address, https://HOST:PORT or https://HOST:PORT/v2/NAMESPACE",
} as const;
const endpointWay = "a registry's address, HOST:PORT or HOST:PORT/NAMESPACE";

/** Values as they are once they are known, by resource; names are the arguments'. */
export const shapes = {
  pushRegistry: { fields: { registry: any } },
  pushEndpoint: { kind: "text", way: endpointWay },
  pushSource: { fields: { source: text, spoolDir: optionalText, maxDecodedBytes: { kind: "bytes", optional: true } } },
  pushSources: {
    fields: { source: { list: text }, spoolDir: optionalText, maxDecodedBytes: { kind: "bytes", optional: true } },
  },
  pushCa: { fields: { caCert: optionalText, caCertPath: optionalText } },
  pushRest: {
    fields: {
      registry: { fields: { username: optionalText, dockerConfigPath: optionalText, insecure: flag } },
      include: texts,
      exclude: texts,
      deleteImages: flag,
    },
  },
  pushPatterns: { fields: { include: texts, exclude: texts } },
  probe: { kind: "text", optional: true, way: "a repository, or false for no probe" },
  pushSecrets: { fields: { registry: { fields: { password: secret, proxy: { ...secret, empty: false } } } } },
  mirrorLists: { fields: { registryMirrors: { list: any }, privateRegistries: { list: any, optional: true } } },
  mirrorValues: {
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
  mirrorCredentials: {
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
  mirrorRest: { fields: { hostsDir: optionalText, checkEndpoints: flag } },
  mirrorSource: { fields: { hosts: { list: any }, hostsDir: text, files: any, endpoints: { list: any } } },
  verify: {
    fields: {
      images: { list: any, optional: true },
      verify: { fields: { onFailure: { kind: ["error", "warn"], optional: true } } },
    },
  },
  clusterArguments: {
    fields: {
      clusterName: optionalText,
      images: { fields: {}, optional: true },
      registryMirrors: { list: any, optional: true },
      privateRegistries: { list: any, optional: true },
      skipFallback: flag,
      dialTimeout: { kind: "number", optional: true },
      connection: { fields: {}, optional: true },
      nodes: { fields: {}, optional: true },
      rollout: { fields: {}, optional: true },
      mirror: { fields: {}, optional: true },
    },
  },
  nodeArguments: { fields: { connection: any, mirror: any } },
  node: {
    fields: {
      credentials: { fields: {}, optional: true },
      configStyle: { kind: ["auto", "hosts-dir", "config-toml"], optional: true },
      criTimeout: { kind: "seconds", optional: true },
      forgetUnreachable: flag,
      adopt: flag,
      hold: flag,
    },
  },
} as const satisfies Record<string, Shape>;

const connection = {
  host: { kind: "text", way: "the node's name or address" },
  port: { kind: "port", optional: true },
  user: optionalText,
  password: secret,
  privateKey: { ...secret, empty: false },
  privateKeyPath: optionalText,
  privateKeyPassword: secret,
  agentSocketPath: optionalText,
  hostKey: optionalText,
  knownHostsPath: optionalText,
  insecureIgnoreHostKey: flag,
  sudoPassword: secret,
  perDialTimeout: { kind: "seconds", optional: true },
  dialErrorLimit: { kind: "count", optional: true },
} as const satisfies Record<string, Shape>;

type ConnectionField = keyof typeof connection;

/** What of a connection is always a secret. */
export const secretsOfConnection = (Object.keys(connection) as ConnectionField[]).filter((field) => {
  const shape: Shape = connection[field];
  return typeof shape === "object" && "secret" in shape && shape.secret === true;
});

/** Of one connection, without its bastion's. */
export function connectionShapeProblems(value: unknown, name: string): Problem[] {
  return shapeProblems(value, { fields: connection }, name);
}

/** Images to compare: a number, "all", or names. */
export function selectionProblems(value: unknown): Problem[] {
  if (value === "all" || (typeof value === "number" && Number.isInteger(value) && value >= 0)) {
    return [];
  }
  return Array.isArray(value)
    ? shapeProblems(value, { list: "text" }, "verify.images")
    : shapeProblems(value, { kind: ["all"], way: 'a whole number from 0, "all", or a list of names' }, "verify.images");
}
