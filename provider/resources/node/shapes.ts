import { posix } from "node:path";

import type { LayoutChoice } from "../../containerd/layout/layouts";
import { isLayoutName, layoutNames } from "../../containerd/layout/layouts";
import { MirrorError } from "../../model/errors";
import { isMapping } from "../../model/mapping";
import type { Problem } from "../../model/problem";
import { invalidArgument } from "../../model/problem";
import { isUnknown } from "../../pulumi/plainValue";
import { any, flag, optionalText, secret, text } from "../arguments/kinds";
import type { Shape } from "../arguments/shape";
import { shapeProblems } from "../arguments/shape";

/** Values as they are once they are known; names are the arguments'. `required`: nothing can be made without. */
export const shapes = {
  required: { fields: { connection: any, mirror: any } },
  /** Taken by the program itself, before anything is sent. */
  look: {
    fields: {
      look: {
        fields: {
          timeout: { kind: "seconds", optional: true },
          maxParallel: { kind: "count", optional: true },
          onProblem: { kind: ["warn", "error"], optional: true },
          coverage: flag,
        },
        way: "false, or an object with timeout, maxParallel, onProblem, coverage",
        optional: true,
      },
    },
  },
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

const layoutPath = { kind: "text", way: "an absolute path" } as const;
const layoutPaths = { configPath: layoutPath, hostsDir: layoutPath, socketPath: layoutPath, unit: text } as const;

/** Where containerd is on the node: a name, or all four of its places. */
export function layoutProblems(value: unknown): Problem[] {
  if (value === undefined || isUnknown(value)) {
    return [];
  }
  if (!isMapping(value)) {
    const way = `${layoutNames.map((name) => JSON.stringify(name)).join(", ")} or { configPath, hostsDir, socketPath, unit }`;
    return shapeProblems(value, { kind: layoutNames, way, optional: true }, "layout");
  }
  return [
    ...shapeProblems(value, { fields: layoutPaths, also: [] }, "layout"),
    ...Object.entries(value).flatMap(([field, one]) => placeProblem(field, one)),
  ];
}

/** @throws MirrorError `ARGUMENTS_INVALID` */
export function layoutNamed(option: string, name: string): LayoutChoice {
  if (!isLayoutName(name)) {
    const names = layoutNames.join(", ");
    throw new MirrorError("ARGUMENTS_INVALID", `${option}: it is ${JSON.stringify(name)}; give one of ${names}.`);
  }
  return name;
}

/** What systemd takes as the name of a service, instances and escapes included. */
const unitName = /^[A-Za-z0-9:_.\\@-]+$/;

/** Of a text; what is none, or empty, its shape names. */
function placeProblem(field: string, value: unknown): Problem[] {
  if (typeof value !== "string" || value === "" || isUnknown(value) || !Object.hasOwn(layoutPaths, field)) {
    return [];
  }
  const isUnit = field === "unit";
  const fits = isUnit
    ? unitName.test(value) && !/\.(socket|timer|target|mount|slice|scope|path)$/.test(value)
    : /^\/[^\s:]*[^\s:/]$/.test(value) && posix.normalize(value) === value;
  const way = isUnit
    ? 'the name of a systemd service, such as "containerd.service"'
    : 'an absolute path without "..", blanks and colons, as it stands on the node';
  return fits ? [] : [invalidArgument(`layout.${field}: it is ${JSON.stringify(value.slice(0, 80))}; give ${way}.`)];
}

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

/** All but a bastion. */
export const connectionFields = Object.keys(connection) as ConnectionField[];

/** What of a connection is always a secret. */
export const secretsOfConnection = connectionFields.filter((field) => {
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
