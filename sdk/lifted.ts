import type * as pulumi from "@pulumi/pulumi";

/** A value as a program has it: known, or known once Pulumi knows it or its parts. Undefined is left out by check. */
type Lifted<T> = pulumi.Input<T | undefined> | LiftedParts<T> | undefined;

type LiftedParts<T> = T extends readonly (infer One)[]
  ? pulumi.Input<pulumi.Input<One>[]>
  : T extends object
    ? { [Field in keyof T]: Lifted<T[Field]> }
    : never;

/** Every field of a wire, as a program hands it over; `Other` are for the provider's side alone. */
export type LiftedWire<Wire, Other extends keyof Wire = never> = {
  [Field in Exclude<keyof Wire, Other>]-?: Lifted<Wire[Field]>;
};
