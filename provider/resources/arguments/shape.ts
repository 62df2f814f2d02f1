import { noSuchArgument } from "../../model/argumentNames";
import type { Problem } from "../../model/problem";
import { invalidArgument } from "../../model/problem";
import { isUnknown } from "../../pulumi/plainValue";

/** What an argument may be. A word for what has no parts; `list` and `object` for what has. */
export type Shape =
  | Kind
  | { kind: Kind; optional?: boolean; secret?: boolean; empty?: boolean; way?: string }
  | { list: Shape; optional?: boolean }
  | {
      fields: Readonly<Record<string, Shape>>;
      optional?: boolean;
      way?: string;
      /** Nothing else may be given but what this names: a slip of the pen would be passed over without a word. */
      also?: readonly string[];
    };

type Kind = "text" | "boolean" | "number" | "seconds" | "count" | "port" | "bytes" | readonly (string | false)[];

const numbers: Readonly<Record<string, (value: number) => boolean>> = {
  number: () => true,
  seconds: (value) => value > 0,
  count: (value) => Number.isInteger(value) && value >= 1,
  bytes: (value) => Number.isInteger(value) && value >= 1,
  port: (value) => Number.isInteger(value) && value >= 1 && value <= 65535,
};

const words: Readonly<Record<string, string>> = {
  text: "a text",
  boolean: "true or false",
  number: "a number",
  seconds: "a number of seconds above 0",
  count: "a whole number from 1",
  bytes: "a whole number of bytes from 1",
  port: "a port, a whole number from 1 to 65535",
};

/**
 * What is wrong with the values of arguments: from a program without a compiler, or from another resource's output that
 * turned out to be nothing. The same is asked in a preview of what is known, and in an update, when all is; what is not
 * known yet is passed over. An optional argument that is undefined was not given.
 */
export function shapeProblems(value: unknown, shape: Shape, name: string): Problem[] {
  if (isUnknown(value)) {
    return [];
  }
  const full =
    typeof shape === "string" || Array.isArray(shape) ? { kind: shape as Kind } : (shape as Exclude<Shape, Kind>);
  if (value === undefined && full.optional === true) {
    return [];
  }
  if ("list" in full) {
    return Array.isArray(value)
      ? Array.from(value, (one: unknown, n) => shapeProblems(one, full.list, `${name}[${n}]`)).flat()
      : [problem(name, value, "a list", full.optional)];
  }
  if ("fields" in full) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return [problem(name, value, full.way ?? objectWith(Object.keys(full.fields)), full.optional)];
    }
    const fields = value as Record<string, unknown>;
    return [
      ...slips(fields, full, name),
      ...Object.entries(full.fields).flatMap(([field, one]) => shapeProblems(fields[field], one, below(name, field))),
    ];
  }
  return fits(value, full.kind, full.empty === true)
    ? []
    : [problem(name, value, full.way ?? wanted(full.kind), full.optional, full.secret)];
}

function slips(
  given: object,
  { fields, also }: { fields: Readonly<Record<string, Shape>>; also?: readonly string[] },
  name: string,
): Problem[] {
  if (also === undefined) {
    return [];
  }
  const known = [...Object.keys(fields), ...also];
  return Object.entries(given)
    .filter(([field, value]) => value !== undefined && !known.includes(field))
    .map(([field]) => noSuchArgument(below(name, field), field, known));
}

function below(name: string, field: string): string {
  return name === "" ? field : `${name}.${field}`;
}

function fits(value: unknown, kind: Kind, empty: boolean): boolean {
  switch (kind) {
    case "text":
      return typeof value === "string" && (empty || value !== "");
    case "boolean":
      return typeof value === "boolean";
    case "number":
    case "seconds":
    case "count":
    case "bytes":
    case "port":
      return typeof value === "number" && Number.isFinite(value) && numbers[kind]?.(value) === true;
    default:
      return (kind as readonly unknown[]).includes(value);
  }
}

function objectWith(fields: readonly string[]): string {
  return fields.length === 0 ? "an object" : `an object with ${fields.slice(0, 3).join(", ")}`;
}

function wanted(kind: Kind): string {
  return typeof kind === "string" ? (words[kind] ?? kind) : kind.map((one) => JSON.stringify(one)).join(" or ");
}

function problem(name: string, value: unknown, way: string, optional = false, secret = false): Problem {
  const leaveOut = optional ? ", or leave it out" : "";
  const isNothing = value === undefined || value === null || value === "";
  const hint = isNothing ? " If it comes from another resource, that one has no such output (yet)." : "";
  return invalidArgument(`${name}: it is ${shown(value, secret)}; give ${way}${leaveOut}.${hint}`);
}

/** Never what may be a secret, and never much. */
function shown(value: unknown, secret: boolean): string {
  if (value === undefined || value === null) {
    return String(value);
  }
  if (value === "") {
    return "empty";
  }
  if (Array.isArray(value)) {
    return "a list";
  }
  switch (typeof value) {
    case "string":
      return secret ? "a string" : JSON.stringify(value.slice(0, 80));
    case "number":
    case "bigint":
    case "boolean":
      return secret ? `a ${typeof value}` : `the ${typeof value} ${JSON.stringify(String(value).slice(0, 80))}`;
    case "object":
      return "an object";
    default:
      return `a ${typeof value}`;
  }
}
