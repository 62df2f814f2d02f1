import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import type { Crypter } from "./passphrase";
import type { Project } from "./project";

/** Configuration as a program sees it: everything is text; lists and maps are JSON. */
export interface StackConfig {
  values: Record<string, string>;
  secretKeys: string[];
}

interface ConfigFile {
  encryptionsalt?: string;
  config?: Record<string, unknown>;
}

export function readSalt(file: string): string | undefined {
  return readFile(file).encryptionsalt;
}

/** Makes sure the file names the salt, so that values set later, also by the real CLI, use the same key. */
export function writeSalt(file: string, salt: string): void {
  const content = readFile(file);
  if (content.encryptionsalt !== salt) writeFileSync(file, stringify({ encryptionsalt: salt, ...content }));
}

/** @param value as text; a secret is encrypted. */
export function setConfig(file: string, key: string, value: string, secret: boolean, crypter: Crypter): void {
  const content = readFile(file);
  const config = { ...content.config, [key]: secret ? { secure: crypter.encrypt(value) } : value };
  writeFileSync(file, stringify({ encryptionsalt: crypter.salt, ...content, config }), { mode: 0o600 });
}

/** The stack's values over the project's defaults. @throws when a declared key has no value, one of another type, or a plain one for a secret. */
export function readConfig(file: string, project: Project, crypter: Crypter): StackConfig {
  const config: StackConfig = { values: {}, secretKeys: [] };
  for (const [key, value] of Object.entries(readFile(file).config ?? {})) {
    if (isSecure(value)) {
      config.values[key] = crypter.decrypt(value.secure);
      config.secretKeys.push(key);
    } else if (containsSecure(value)) {
      throw new Error(`configuration ${key}: secrets inside a structured value are not supported by the test engine`);
    } else config.values[key] = asText(value);
  }
  for (const { key, type, default: preset, secret } of project.configuration) {
    if (config.values[key] === undefined) {
      if (preset === undefined || preset === null) {
        throw new Error(`Stack is missing configuration value '${key.replace(`${project.name}:`, "")}'`);
      }
      config.values[key] = asText(preset);
    }
    // A default is not encrypted either: the real CLI refuses it.
    if (secret && type !== undefined && !config.secretKeys.includes(key)) throw new Error(`configuration key '${key}' must be encrypted as it's secret`);
    checkType(key, type, config.values[key]);
  }
  return config;
}

function checkType(key: string, type: string | undefined, value: string): void {
  const fits =
    type === "integer" ? /^-?\d+$/.test(value) : type === "boolean" ? /^(true|false)$/.test(value) : type === "array" ? value.startsWith("[") : true;
  if (!fits) throw new Error(`configuration key '${key}' must be of type '${type}'`);
}

function readFile(file: string): ConfigFile {
  return existsSync(file) ? ((parse(readFileSync(file, "utf8")) ?? {}) as ConfigFile) : {};
}

function isSecure(value: unknown): value is { secure: string } {
  return typeof value === "object" && value !== null && Object.keys(value).length === 1 && typeof (value as { secure?: unknown }).secure === "string";
}

function containsSecure(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return isSecure(value) || Object.values(value).some(containsSecure);
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
