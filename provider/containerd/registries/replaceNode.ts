import type { Document, YAMLMap } from "yaml";
import { isMap, isScalar, isSeq, Scalar } from "yaml";

import { isMapping } from "../../model/mapping";

/**
 * A value in the place of what a document has there, in which as much as can stay of that does: maps, keys and items that
 * say the same, and all comments but those of what goes.
 *
 * @param value Of plain values, and scalars with a style of their own.
 */
export function replaceNode(doc: Document, old: unknown, value: unknown): unknown {
  if (isMapping(value) && !isScalar(value)) {
    const map = isMap(old) ? old : mapInPlaceOf(doc, old);
    for (const key of map.items.map((pair) => (isScalar(pair.key) ? pair.key.value : pair.key))) {
      if (!Object.hasOwn(value, String(key))) {
        map.delete(key);
      }
    }
    for (const [key, one] of Object.entries(value)) {
      map.set(key, replaceNode(doc, map.get(key, true), one));
    }
    return map;
  }
  if (Array.isArray(value)) {
    const list = doc.createNode(value);
    if (!isSeq(list) || !isSeq(old)) {
      return list;
    }
    const known = old.items.filter((item) => isScalar(item));
    old.items = list.items.map((item) => known.find((one) => isScalar(item) && one.value === item.value) ?? item);
    return old;
  }
  if (isScalar(old) && old.value === value) {
    return old;
  }
  const scalar = value instanceof Scalar ? value : new Scalar(value);
  return isScalar(old) ? withComments(scalar, old) : scalar;
}

/** A map, also where a key has nothing behind it but a comment. */
export function mapInPlaceOf(doc: Document, old: unknown): YAMLMap {
  const map = doc.createNode({}) as unknown as YAMLMap;
  // Behind a map a comment would come after all that is in it.
  const comments = isScalar(old) ? [old.commentBefore, old.comment].filter((one) => typeof one === "string") : [];
  if (comments.length > 0) {
    map.commentBefore = comments.join("\n");
  }
  return map;
}

function withComments(scalar: Scalar, { comment, commentBefore, spaceBefore }: Scalar): Scalar {
  return Object.assign(scalar, {
    ...(comment == null ? {} : { comment }),
    ...(commentBefore == null ? {} : { commentBefore }),
    ...(spaceBefore === undefined ? {} : { spaceBefore }),
  });
}
