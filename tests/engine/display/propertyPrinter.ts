import { parseAllDocuments } from "yaml";
import type { Operation } from "../step";
import { ResourceReference, Secret, Unknown, isInternalKey, isMap, sameValue, type Value, type ValueMap } from "../value";
import { allKeys, diffValues, type MapDiff, type ValueDiff } from "../valueDiff";
import { diffLines } from "./lineDiff";
import { wordsFor } from "./operations";

/** Where and how lines are written. */
interface Place {
  /** In steps of four columns. */
  indent: number;
  /** What the lines are marked with, if they are. */
  op: Operation;
  prefix: boolean;
}

/** Longer texts are cut in a plan: three lines, 150 columns. */
const maxLines = 3;
const maxColumns = 150;
/** Unchanged lines around a changed one. */
const contextLines = 2;

/** Writes properties, and differences of properties, as the real CLI does: one line per leaf, changed texts line by line. */
export class PropertyPrinter {
  private text = "";

  /** @param planning unchanged empty values are left out of a plan. @param onlyChanges leaves out what is the same. */
  constructor(
    private readonly planning: boolean,
    private readonly onlyChanges = true,
  ) {}

  toString(): string {
    return this.text;
  }

  map(values: ValueMap, place: Place): void {
    const keys = Object.keys(values).sort();
    const width = widest(keys);
    for (const key of keys) {
      if (isInternalKey(key)) continue;
      this.title(key.padEnd(width), place);
      this.value(values[key] ?? null, place);
      this.text += "\n";
    }
  }

  mapDiff(diff: MapDiff, indent: number, include?: string[]): void {
    const keys = allKeys(diff).filter((key) => include === undefined || include.includes(key));
    const width = widest(keys);
    for (const key of keys) this.keyDiff(diff, key, width, indent);
  }

  keyDiff(diff: MapDiff, key: string, width: number, indent: number): void {
    const title = key.padEnd(width);
    const update = diff.updates.get(key);
    if (Object.hasOwn(diff.adds, key)) this.entry("create", title, diff.adds[key] ?? null, indent);
    else if (Object.hasOwn(diff.deletes, key)) this.entry("delete", title, diff.deletes[key] ?? null, indent);
    else if (update !== undefined) this.valueDiff(title, update, indent);
    else if (!this.onlyChanges && isWorthShowing(diff.sames[key] ?? null)) {
      const place: Place = { indent, op: "same", prefix: false };
      this.title(title, place);
      this.value(diff.sames[key] ?? null, place);
      this.text += "\n";
    }
  }

  private entry(op: Operation, title: string, value: Value, indent: number): void {
    const place: Place = { indent, op, prefix: true };
    this.title(title, place);
    this.value(value, place);
    this.text += "\n";
  }

  private valueDiff(title: string, diff: ValueDiff, indent: number): void {
    const place: Place = { indent, op: "update", prefix: true };
    if (diff.list !== undefined) {
      this.title(title, place);
      this.text += "[\n";
      this.listDiff(diff.list, indent);
      this.text += `${spaces(indent)}]\n`;
      return;
    }
    if (diff.map !== undefined) {
      this.title(title, place);
      this.text += "{\n";
      this.mapDiff(diff.map, indent + 1);
      this.text += `${spaces(indent)}}\n`;
      return;
    }
    const old = diff.old ?? null;
    const fresh = diff.new ?? null;
    const [showOld, showNew] = [isWorthShowing(old), isWorthShowing(fresh)];
    if (showOld && showNew && isPrimitive(old) && isPrimitive(fresh)) {
      this.title(title, place);
      if (typeof old === "string" && typeof fresh === "string") this.textDiff(old, fresh, indent);
      else {
        this.value(old, { ...place, op: "delete" });
        this.text += " => ";
        this.value(fresh, { ...place, op: "create" });
        this.text += "\n";
      }
      return;
    }
    if (showOld) this.entry("delete", title, old, indent);
    if (showNew) this.entry("create", title, fresh, indent);
  }

  private listDiff(list: NonNullable<ValueDiff["list"]>, indent: number): void {
    const numbers = [...list.adds.keys(), ...list.deletes.keys(), ...list.updates.keys(), ...(this.onlyChanges ? [] : list.sames.keys())];
    for (const number of numbers.sort((a, b) => a - b)) {
      const title = `[${number}]`;
      const update = list.updates.get(number);
      // An element's own lines stand one step further in than its title.
      const at = indent + 1;
      if (list.adds.has(number)) this.element("create", title, list.adds.get(number) ?? null, at);
      else if (list.deletes.has(number)) this.element("delete", title, list.deletes.get(number) ?? null, at);
      else if (update !== undefined) this.elementDiff(title, update, at);
      else this.element("same", title, list.sames.get(number) ?? null, at);
    }
  }

  private element(op: Operation, title: string, value: Value, indent: number): void {
    this.title(title, { indent, op, prefix: op !== "same" });
    this.value(value, { indent: indent + 1, op, prefix: op !== "same" });
    this.text += "\n";
  }

  private elementDiff(title: string, diff: ValueDiff, indent: number): void {
    const inner = new PropertyPrinter(this.planning, this.onlyChanges);
    inner.valueDiff("", diff, indent + 1);
    const marker = `${wordsFor("update").prefix}: `;
    const at = inner.text.indexOf(marker);
    if (at < 0) {
      // Different kinds of values: two lines, one gone and one new.
      if (isWorthShowing(diff.old ?? null)) this.element("delete", title, diff.old ?? null, indent);
      if (isWorthShowing(diff.new ?? null)) this.element("create", title, diff.new ?? null, indent);
      return;
    }
    this.title(title, { indent, op: "update", prefix: true });
    this.text += inner.text.slice(at + marker.length);
  }

  private title(title: string, place: Place): void {
    this.text += `${indentation(place)}${title}: `;
  }

  private value(value: Value, place: Place): void {
    if (value instanceof Secret) this.text += "[secret]";
    else if (value instanceof Unknown) this.text += "[unknown]";
    else if (value instanceof ResourceReference) {
      this.text += "{\n";
      this.map({ URN: value.urn, ID: value.id ?? null, PackageVersion: value.packageVersion }, { ...place, indent: place.indent + 1 });
      this.text += `${spaces(place.indent)}}`;
    } else if (Array.isArray(value)) this.list(value, place);
    else if (isMap(value)) {
      if (Object.keys(value).length === 0) this.text += "{}";
      else {
        this.text += "{\n";
        this.map(value, { ...place, indent: place.indent + 1 });
        this.text += `${spaces(place.indent)}}`;
      }
    } else this.primitive(value, place);
  }

  private list(list: Value[], place: Place): void {
    if (list.length === 0) {
      this.text += "[]";
      return;
    }
    this.text += "[\n";
    list.forEach((item, index) => {
      this.text += `${indentation(place)}    [${index}]: `;
      this.value(item, { ...place, indent: place.indent + 1 });
      this.text += "\n";
    });
    this.text += `${spaces(place.indent)}]`;
  }

  private primitive(value: null | boolean | number | string, place: Place): void {
    if (value === null) this.text += "<null>";
    else if (typeof value !== "string") this.text += String(value);
    else {
      const decoded = decode(value);
      if (decoded === undefined) this.text += quote(truncated(value));
      else {
        this.text += `(${decoded.kind}) `;
        this.value(decoded.value, place);
        this.text += "\n";
      }
    }
  }

  private textDiff(old: string, fresh: string, indent: number): void {
    const [before, after] = [decode(old), decode(fresh)];
    if (before !== undefined && after !== undefined && !sameValue(before.value, after.value)) {
      this.text += before.kind === after.kind ? `(${before.kind}) ` : `(${before.kind} => ${after.kind}) `;
      const diff = diffValues(before.value, after.value, isInternalKey);
      const inner = new PropertyPrinter(this.planning, this.onlyChanges);
      if (diff !== undefined) inner.valueDiff("", diff, indent);
      // The title stands already.
      this.text += inner.text.slice(inner.text.indexOf(": ") + 2);
      return;
    }
    if (!old.includes("\n") && !fresh.includes("\n")) {
      this.text += `${quote(old)} => ${quote(fresh)}\n`;
      return;
    }
    this.text += "\n";
    this.lineDiff(old, fresh, indent + 1);
  }

  private lineDiff(old: string, fresh: string, indent: number): void {
    const chunks = diffLines(splitLines(old), splitLines(fresh));
    const write = (op: Operation, line: string) => {
      this.text += `${indentation({ indent, op, prefix: op !== "same" })}${line}\n`;
    };
    chunks.forEach(({ kind, lines: all }, index) => {
      const lines = all.filter((line) => line.trim() !== "");
      if (kind !== "same") {
        for (const line of lines) write(kind === "insert" ? "create" : "delete", truncated(line));
        return;
      }
      const [first, last] = [index === 0, index === chunks.length - 1];
      const room = first || last ? contextLines + 1 : 2 * contextLines + 1;
      const cut = lines.length > room;
      if (!cut) for (const line of lines) write("same", truncated(line));
      else {
        if (!first) for (const line of lines.slice(0, contextLines)) write("same", truncated(line));
        write("same", "...");
        if (first || !last) for (const line of lines.slice(-contextLines)) write("same", truncated(line));
      }
    });
  }
}

/** Empty values clutter a plan. */
export function isWorthShowing(value: Value): boolean {
  if (value === null || value === "") return false;
  if (Array.isArray(value)) return value.length > 0;
  return !isMap(value) || Object.keys(value).length > 0;
}

export function widest(keys: string[]): number {
  return Math.max(0, ...keys.map((key) => key.length));
}

function isPrimitive(value: Value): boolean {
  return !Array.isArray(value) && !isMap(value) && !(value instanceof ResourceReference);
}

function spaces(indent: number): string {
  return "    ".repeat(indent);
}

function indentation({ indent, op, prefix }: Place): string {
  return prefix && indent > 0 ? spaces(indent).slice(0, -2) + wordsFor(op).prefix : spaces(indent);
}

/** Lines with their ends, so that a missing last newline is no difference of its own line. */
function splitLines(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function truncated(text: string): string {
  const lines = text.split("\n");
  const cut = lines.slice(0, maxLines).map((line) => (line.length > maxColumns ? `${line.slice(0, maxColumns)}...` : line));
  return lines.length > maxLines ? `${cut.join("\n")}\n...` : cut.join("\n");
}

/** As Go's %q. */
function quote(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A text that is a JSON or (over several lines) a YAML document of a list or a map is shown as such. */
function decode(text: string): { kind: "json" | "yaml"; value: Value } | undefined {
  const trimmed = text.trim();
  if (/^[[{]/.test(trimmed)) {
    try {
      return { kind: "json", value: JSON.parse(trimmed) as Value };
    } catch {
      // Not JSON after all.
    }
  }
  if (!/[\r\n]/.test(trimmed)) return undefined;
  const documents = parseAllDocuments(trimmed, { logLevel: "silent" });
  if (!Array.isArray(documents) || documents.length !== 1 || documents[0] === undefined || documents[0].errors.length > 0) return undefined;
  const value = documents[0].toJS() as Value;
  return Array.isArray(value) || (typeof value === "object" && value !== null) ? { kind: "yaml", value } : undefined;
}
