import { isMapping } from "../model/mapping";
/** Where something stands in what `imagesIn` was given. */
export interface ManifestPlace {
  /** The file as it was named or found, the name of a text, or `source[2]` of an object. */
  source: string;
  /** From 1, counting every document of the file, the empty ones too; absent for objects. */
  document?: number;
  /** From 1; absent for objects. */
  line?: number;
  /** `Deployment` */
  kind?: string;
  /** `metadata.name`, or `generateName` where there is none. */
  name?: string;
  /** `spec.template.spec.containers[0].image` */
  field?: string;
}

/** A field's way through a document: names and, of a list, positions from 0. */
export type FieldPath = readonly (string | number)[];

/** One document, as plain values; nothing is known of what they are. */
export interface ManifestDocument {
  value: unknown;
  source: string;
  document?: number;
  /** The line of a field, or of the nearest thing around it that has one. */
  lineOf?: (path: FieldPath) => number | undefined;
}

/** `spec.containers[0].image`; a name with a dot is quoted. */
export function fieldText(path: FieldPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") {
      return `${text}[${step}]`;
    }
    return /^[\w-]+$/.test(step) ? `${text}${text === "" ? "" : "."}${step}` : `${text}[${JSON.stringify(step)}]`;
  }, "");
}

/** `apps.yaml:12, document 3 (Deployment web), spec.template.spec.containers[0].image` */
export function placeText({ source, document, line, kind, name, field }: ManifestPlace): string {
  const who = [kind, name].filter((part) => part !== undefined).join(" ");
  const numbered = document === undefined ? who : `document ${document}${who === "" ? "" : ` (${who})`}`;
  const parts = [line === undefined ? source : `${source}:${line}`, numbered, field ?? ""];
  return parts.filter((part) => part !== "").join(", ");
}

/** The field of an object, never of its prototype. */
export function fieldOf(value: unknown, name: string): unknown {
  return isMapping(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
