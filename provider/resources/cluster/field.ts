import type { Document, LineCounter, Node, ParsedNode, YAMLMap } from "yaml";
import { isAlias, isMap, isScalar, isSeq } from "yaml";

import type { ClusterFilePlace, Problems } from "./errors";

/** One document of a cluster file, with what is needed to say where something stands in it. */
export interface FieldSource {
  readonly file: string;
  readonly index: number;
  readonly document: Document;
  readonly lines?: LineCounter;
  readonly problems: Problems;
  /** Set once kind and name are known. */
  name?: string;
}

/**
 * A value in a document that knows its own place.
 *
 * The YAML tree is walked field by field and never turned into plain objects as a whole: positions stay known, fields
 * that are not ours are not looked at, and a file of nested aliases ("billion laughs") costs nothing.
 */
export class Field {
  private readonly node: Node | undefined;

  constructor(
    private readonly source: FieldSource,
    readonly path: string,
    node: unknown,
    /** Where the parent starts: the place to name when this field is missing. */
    private readonly parent?: Node,
  ) {
    this.node = follow(source.document, node);
  }

  static root(source: FieldSource): Field {
    return new Field(source, "", source.document.contents);
  }

  /** False for a field that is absent, empty (`caCertPath:`), or empty text: the page says "leave it empty". */
  get present(): boolean {
    return this.node !== undefined && !(isScalar(this.node) && (this.node.value === null || this.node.value === ""));
  }

  get isMapping(): boolean {
    return isMap(this.node);
  }

  get(key: string): Field {
    const path = this.path === "" ? key : `${this.path}.${key}`;
    const found = isMap(this.node) ? lookUp(this.source.document, this.node, key, new Set()) : undefined;
    if (this.present && !isMap(this.node)) {
      this.wrongType("a mapping of fields");
    }
    return new Field(this.source, path, found, this.node ?? this.parent);
  }

  /** The elements of a list; none for an absent field. */
  items(): Field[] {
    if (!this.present) {
      return [];
    }
    if (!isSeq(this.node)) {
      this.wrongType("a list");
      return [];
    }
    return this.node.items.map((item, index) => new Field(this.source, `${this.path}[${index}]`, item, this.node));
  }

  /**
   * The text, or undefined when absent. A number or a boolean is a problem: `name: 1` is not what Kubernetes takes
   * either.
   */
  text(): string | undefined {
    if (!this.present) {
      return undefined;
    }
    if (isScalar(this.node) && typeof this.node.value === "string") {
      return this.node.value;
    }
    this.wrongType(isScalar(this.node) ? "text; put it in quotes" : "text");
    return undefined;
  }

  problem(code: Parameters<Problems["add"]>[0], message: string): void {
    this.source.problems.add(code, this.place(), message);
  }

  place(): ClusterFilePlace {
    return { ...placeAt(this.source, (this.node ?? this.parent) as ParsedNode | undefined), field: this.path };
  }

  /** `line 12`, or the document for an object: how one message points at another place. */
  where(): string {
    const place = this.place();
    const name = this.source.name === undefined ? `document ${this.source.index}` : this.source.name;
    return place.line === undefined ? `${name} ${this.path}` : `line ${place.line} (${name} ${this.path})`;
  }

  private wrongType(wanted: string): void {
    const kind = isMap(this.node)
      ? "a mapping"
      : isSeq(this.node)
        ? "a list"
        : `a ${typeof (isScalar(this.node) ? this.node.value : this.node)}`;
    this.problem("CLUSTER_FIELD_TYPE", `this is ${kind.replace("a object", "an unknown value")} and must be ${wanted}`);
  }
}

function placeAt(source: FieldSource, node: ParsedNode | undefined): ClusterFilePlace {
  const start = node?.range?.[0];
  const at = start === undefined || source.lines === undefined ? undefined : source.lines.linePos(start);
  return {
    file: source.file,
    ...(at === undefined || at.line === 0 ? {} : { line: at.line, column: at.col }),
    document: source.index,
    ...(source.name === undefined ? {} : { documentName: source.name }),
  };
}

function follow(document: Document, node: unknown): Node | undefined {
  const target = isAlias(node) ? node.resolve(document) : node;
  return target === null || target === undefined ? undefined : (target as Node);
}

/** A key of a map, or of the maps merged into it with `<<` (which bmctl's YAML reader knows too). */
function lookUp(document: Document, map: YAMLMap, key: string, seen: Set<YAMLMap>): unknown {
  if (seen.has(map)) {
    return undefined;
  }
  seen.add(map);
  const merged: unknown[] = [];
  for (const pair of map.items) {
    const name: unknown = isScalar(pair.key) ? pair.key.value : pair.key;
    if (name === key) {
      return pair.value;
    }
    if (name === "<<" || (typeof name === "symbol" && name.description === "<<")) {
      const value = follow(document, pair.value);
      merged.push(...(isSeq(value) ? value.items : [value]));
    }
  }
  for (const candidate of merged) {
    const target = follow(document, candidate);
    const found = isMap(target) ? lookUp(document, target, key, seen) : undefined;
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}
