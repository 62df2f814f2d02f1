import { createRequire } from "node:module";
import { join } from "node:path";

/** Where a program's own @pulumi/pulumi lies: the program, its provider and this engine must speak the same version. */
export interface Sdk {
  version: string;
  /** The script that runs a program. */
  run: string;
  /** The script that serves dynamic providers. */
  dynamicProvider: string;
}

/** @throws when the program has no @pulumi/pulumi installed. */
export function findSdk(programDir: string): Sdk {
  const from = createRequire(join(programDir, "package.json"));
  try {
    return {
      version: (from("@pulumi/pulumi/package.json") as { version: string }).version,
      run: from.resolve("@pulumi/pulumi/cmd/run"),
      dynamicProvider: from.resolve("@pulumi/pulumi/cmd/dynamic-provider"),
    };
  } catch (error) {
    throw new Error(`${programDir} has no @pulumi/pulumi installed: run npm install there first`, { cause: error });
  }
}
