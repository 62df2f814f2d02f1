import * as pulumi from "@pulumi/pulumi";

import type { NamesBelow } from "../provider/model/argumentNames";
import { unknownArguments } from "../provider/model/argumentNames";
import type { CheckedArguments } from "../provider/resources/arguments/resolved";

/** Of arguments that there are not: what is known while the program runs, and what outputs turn out to be. */
export interface CheckedNames {
  now: CheckedArguments;
  /** Empty where no argument that has arguments of its own is an output as a whole. */
  later: pulumi.Output<CheckedArguments>[];
}

/** That a resource is given no other arguments than there are, at any depth. */
export function checkNames(args: unknown, names: NamesBelow, path = ""): CheckedNames {
  const later: CheckedNames["later"] = [];
  const problems = unknownArguments(args, names, path, (part, below, at) => {
    // Names are no secrets, although the values under them may be.
    const known = pulumi.unsecret(pulumi.output(part as object));
    later.push(known.apply((value) => checkNames(value, below, at).now));
  });
  return { now: { problems }, later };
}
