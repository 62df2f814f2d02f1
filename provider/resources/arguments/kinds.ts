import type { Shape } from "./shape";

export const text = { kind: "text" } as const;
export const optionalText = { kind: "text", optional: true } as const;
/** Empty means none: so the fields of a cluster file are written. */
export const emptyIsNone = { kind: "text", optional: true, empty: true } as const;
export const secret = { kind: "text", optional: true, secret: true, empty: true } as const;
export const flag = { kind: "boolean", optional: true } as const;
export const texts: Shape = { list: "text", optional: true };
/** Whatever has fields of its own, which are looked at where they are known. */
export const any: Shape = { fields: {} };
