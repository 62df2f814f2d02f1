import * as pulumi from "@pulumi/pulumi";

/** A value while the program runs: `undefined` in a preview while it is not known, or a part of it is not. */
export async function whenKnown<T>(value: pulumi.Input<T>): Promise<{ value: pulumi.Unwrap<T> } | undefined> {
  const output = pulumi.output(value);
  // Pulumi's own mark: an apply would never be called.
  const { isKnown } = output as unknown as { isKnown: Promise<boolean> };
  if (!(await isKnown)) {
    return undefined;
  }
  return { value: await new Promise<pulumi.Unwrap<T>>((resolve) => void output.apply(resolve)) };
}
