import type { Goal } from "./goal";
import type { StackConfig } from "./stackConfig";
import { dynamicPackage, providerTypePrefix } from "./urn";
import { Secret, type ValueMap } from "./value";

/** The provider that serves all dynamic resources. It gets the whole configuration, each key with its namespace. */
export function defaultProviderGoal({ values, secretKeys }: StackConfig): Goal {
  const inputs: ValueMap = {};
  for (const [key, value] of Object.entries(values)) inputs[key] = secretKeys.includes(key) ? new Secret(value) : value;
  return {
    type: `${providerTypePrefix}${dynamicPackage}`,
    name: "default",
    custom: true,
    parent: "",
    properties: inputs,
    dependencies: [],
    propertyDependencies: {},
    protect: undefined,
    retainOnDelete: undefined,
    deletedWith: "",
    replaceWith: [],
    replacementTrigger: null,
    deleteBeforeReplace: undefined,
    ignoreChanges: [],
    replaceOnChanges: [],
    additionalSecretOutputs: [],
    aliases: [],
    hooks: {},
    provider: "",
  };
}
