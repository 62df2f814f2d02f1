/** Names of resources: `urn:pulumi:STACK::PROJECT::PARENTTYPE$TYPE::NAME`. */

export const stackType = "pulumi:pulumi:Stack";

/** The one plugin the test engine knows: Node's dynamic providers. */
export const dynamicPackage = "pulumi-nodejs";
export const providerTypePrefix = "pulumi:providers:";

export interface UrnParts {
  stack: string;
  project: string;
  /** With the parents' types: `a:b:C$d:e:F`. */
  qualifiedType: string;
  type: string;
  name: string;
}

export function parseUrn(urn: string): UrnParts {
  // A name may hold "::" itself, so only the first three separators count.
  const match = /^urn:pulumi:((?:(?!::).)*)::((?:(?!::).)*)::((?:(?!::).)*)::([\s\S]*)$/.exec(urn);
  if (match === null) throw new Error(`invalid URN ${JSON.stringify(urn)}`);
  const [, stack = "", project = "", qualifiedType = "", name = ""] = match;
  return { stack, project, qualifiedType, type: qualifiedType.slice(qualifiedType.lastIndexOf("$") + 1), name };
}

export function createUrn(stack: string, project: string, parent: string, type: string, name: string): string {
  let qualified = type;
  if (parent !== "") {
    const parentType = parseUrn(parent).qualifiedType;
    // Everything is a child of the stack; saying so in each name would only make it longer.
    if (parentType !== stackType) qualified = `${parentType}$${type}`;
  }
  return `urn:pulumi:${stack}::${project}::${qualified}::${name}`;
}

export function isRootStack(urn: string): boolean {
  return urn !== "" && parseUrn(urn).qualifiedType === stackType;
}

export function isProviderType(type: string): boolean {
  return type.startsWith(providerTypePrefix);
}

/** `package` of `package:module:Type`. */
export function packageOf(type: string): string {
  return type.slice(0, type.indexOf(":"));
}

/** A provider reference is `URN::ID`. */
export function parseProviderReference(reference: string): { urn: string; id: string } {
  const at = reference.lastIndexOf("::");
  if (at < 0) throw new Error(`invalid provider reference ${JSON.stringify(reference)}`);
  return { urn: reference.slice(0, at), id: reference.slice(at + 2) };
}

/** `pulumi-nodejs:dynamic/notes:Note` shows as it is; a type `pkg:mod/file:Type` whose file repeats the name shows shorter. */
export function displayType(type: string): string {
  const parts = type.split(":");
  const [pkg, module, name] = parts;
  if (parts.length !== 3 || module === undefined || name === undefined) return type;
  const slash = module.lastIndexOf("/");
  const lowered = name.charAt(0).toLowerCase() + name.slice(1);
  return slash > 0 && module.slice(slash + 1) === lowered ? `${pkg}:${module.slice(0, slash)}:${name}` : type;
}
