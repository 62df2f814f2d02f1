import type { ArgumentNames } from "../../model/argumentNames";

/** Parts of these are looked into where their values are. */
export const imagePushSetNames: ArgumentNames = {
  source: true,
  registry: true,
  include: true,
  exclude: true,
  prune: true,
  deleteImages: true,
  signature: true,
  requireSigned: true,
  probeRepository: true,
  check: true,
  preview: true,
  spoolDir: true,
  maxDecodedBytes: true,
};

/** What a mirror alone takes is let through, so that one object may say both. */
export const registryNames: ArgumentNames = {
  endpoint: true,
  caCertPath: true,
  caCert: true,
  username: true,
  password: true,
  dockerConfigPath: true,
  credentialCommand: true,
  proxy: true,
  insecure: true,
  maxBytesPerSecond: true,
  maxParallel: true,
  hosts: false,
  pullCredentialConfigPath: false,
  skipFallback: false,
  dialTimeout: false,
};

/** Of imagesOn; `registries` is looked into as part of the source. */
export const imagesOnNames: ArgumentNames = {
  hosts: true,
  running: true,
  exclude: true,
  registries: true,
  layout: true,
  timeout: true,
  maxParallel: true,
};
