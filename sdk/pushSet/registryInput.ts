import * as pulumi from "@pulumi/pulumi";

import type { RegistryConnection } from "../../provider/registry/connection";
import type { CheckedArguments } from "../../provider/resources/arguments/resolved";
import {
  checkCredentials,
  checkDistinct,
  checkReaching,
  checkSecrets,
  resolveCa,
  resolveEndpoint,
} from "../../provider/resources/pushSet/registry";
import type { LiftedWire } from "../lifted";
import { proxyInput } from "./imageSource";
import type { RegistryArgs } from "./registryArgs";

/** A push set's `registry` as the provider's side takes it, and what is wrong with it. */
export interface LiftedRegistry {
  registry: pulumi.Input<RegistryConnection | RegistryConnection[]>;
  /** The first one's, as given. */
  endpoint: pulumi.Input<string>;
  problems: pulumi.Output<CheckedArguments>[];
}

/** One registry, or a list of them: passwords become secrets, paths of certificates their texts. */
export function liftRegistry(given: RegistryArgs | RegistryArgs[]): LiftedRegistry {
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
