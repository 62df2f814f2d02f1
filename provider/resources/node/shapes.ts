import type { Problem } from "../../model/problem";
import { any, flag, optionalText, secret, text } from "../arguments/kinds";
import type { Shape } from "../arguments/shape";
import { shapeProblems } from "../arguments/shape";

/** Values as they are once they are known; names are the arguments'. `required`: nothing can be made without. */
export const shapes = {
  required: { fields: { connection: any, mirror: any } },
  mirror: { fields: { hosts: { list: any }, hostsDir: text, files: any, endpoints: { list: any } } },
  verify: {
    fields: {
      images: { list: any, optional: true },
      verify: {
        fields: {
          onFailure: { kind: ["error", "warn"], optional: true },
          coverage: { kind: ["warn", "error", false], optional: true },
        },
      },
    },
  },
  settings: {
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

/** Which images to pull: "pushed", or names. */
export function prepullShape(given: unknown): Shape {
  const { images } = (given ?? {}) as { images?: unknown };
  return {
    fields: {
      images: Array.isArray(images)
        ? { list: "text" }
        : { kind: ["pushed"], way: '"pushed", or a list of public names' },
      maxParallel: { kind: "count", optional: true },
      onFailure: { kind: ["error", "warn"], optional: true },
    },
  };
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
