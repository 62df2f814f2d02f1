import * as pulumi from "@pulumi/pulumi";

import { isLater } from "../../provider/model/outputs";
import type { RegistryConnection } from "../../provider/registry/connection";
import type { CheckedArguments } from "../../provider/resources/arguments/resolved";
import { attempt } from "../../provider/resources/arguments/resolved";
import {
  checkCredentials,
  checkDistinct,
  checkReaching,
  checkRegistryNames,
  checkSecrets,
  requireRegistry,
  resolveCa,
  resolveEndpoint,
} from "../../provider/resources/pushSet/registry";
import type { LiftedWire } from "../lifted";
import { gathered } from "../problems";
import { proxyInput } from "./imageSource";
import type { RegistriesInput, RegistryArgs } from "./registryArgs";

/** A push set's `registry` as the provider's side takes it, and what is wrong with it. */
export interface LiftedRegistry {
  registry: pulumi.Input<RegistryConnection | RegistryConnection[]>;
  /** The first one's, as given. */
  endpoint: pulumi.Input<string>;
  problems: pulumi.Output<CheckedArguments>[];
}

/** One registry, or a list of them: passwords become secrets, paths of certificates their texts. */
export function liftRegistry(given: RegistriesInput): LiftedRegistry {
  return isLater(given) || (Array.isArray(given) && given.some(isLater))
    ? liftLater(given)
    : liftNow(given as RegistryArgs | RegistryArgs[]);
}

function liftNow(given: RegistryArgs | RegistryArgs[]): LiftedRegistry {
  const problems: pulumi.Output<CheckedArguments>[] = [];
  if (!Array.isArray(given)) {
    const registry = liftOne(given, "registry", problems);
    return { registry: registry as pulumi.Input<RegistryConnection>, endpoint: given.endpoint, problems };
  }
  const registry = given.map((one, at) => liftOne(one, `registry[${at}]`, problems));
  const endpoints = given.map(({ endpoint }) => endpoint);
  problems.push(pulumi.output(endpoints).apply(checkDistinct));
  // As it is: made one output, all of it would be as secret as a password in it.
  return { registry: registry as pulumi.Input<RegistryConnection[]>, endpoint: endpoints[0] ?? "", problems };
}

/** What is an output as a whole, as a configuration's secret objects are: which fields it has is known later. */
function liftLater(given: RegistriesInput): LiftedRegistry {
  const lifted = pulumi.output(given as pulumi.Input<RegistryArgs | RegistryArgs[]>).apply((known) => {
    const { problems: wrong } = attempt(() => requireRegistry({ registry: known }));
    if (wrong.length > 0) {
      return { registry: undefined, endpoint: undefined, found: pulumi.output<CheckedArguments>({ problems: wrong }) };
    }
    const { registry, endpoint, problems } = liftNow(known);
    return { registry, endpoint, found: gathered(problems) };
  });
  return {
    registry: lifted.apply(({ registry }) => registry as RegistryConnection),
    endpoint: lifted.apply(({ endpoint }) => endpoint as string),
    problems: [lifted.apply(({ found }) => found as pulumi.Output<CheckedArguments>)],
  };
}

function liftOne(
  given: RegistryArgs,
  name: string,
  problems: pulumi.Output<CheckedArguments>[],
): LiftedWire<RegistryConnection, "caCertPath"> {
  const { endpoint, caCert, caCertPath, username, password, dockerConfigPath, credentialCommand, proxy } = given;
  const { insecure, maxBytesPerSecond, maxParallel } = given;
  const reaching = { username, dockerConfigPath, credentialCommand, insecure, maxBytesPerSecond, maxParallel };
  const withPassword = password !== undefined;
  const ca = pulumi.output({ caCert, caCertPath }).apply((args) => resolveCa(args, name));
  problems.push(
    pulumi.output(endpoint).apply((text) => resolveEndpoint(text, name)),
    ca,
    pulumi.output(checkRegistryNames(given, name)),
    pulumi
      .output({ username, dockerConfigPath, credentialCommand, withPassword })
      .apply((args) => checkCredentials(args, name)),
    pulumi.output(reaching).apply((args) => checkReaching(args, name)),
    pulumi.output({ password, proxy }).apply((args) => checkSecrets(args, name)),
  );
  return {
    endpoint,
    caCert: ca.apply((found) => found.value),
    ...reaching,
    password: withPassword ? pulumi.secret(password) : undefined,
    proxy: proxy === undefined ? undefined : proxyInput(proxy),
  };
}
