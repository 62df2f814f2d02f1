/** What a code says to a person: one line of cause, one line of way out. docs/errors.md is made from it. */
export interface CodeText {
  cause: string;
  wayOut: string;
}

/** The names in a list of codes; unlike `keyof`, a type that keeps its own name in docs/api.md. */
export type NameOf<T> = { [K in keyof T]: K }[keyof T];
