// Declares the notes that the configuration lists, so that one program can show every ability of an engine.
import { appendFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";

/** A note of the configuration; `plan` in the tests describes them. */
interface Planned {
  name: string;
  /** Default "Note"; another type name makes another resource type. */
  type?: string;
  text?: string;
  /** The text is a secret; without a text of its own it is the configuration's password. */
  secret?: boolean;
  /** The text comes from another note's digest. */
  from?: string;
  files?: Record<string, string>;
  list?: string[];
  /** Changing it replaces the note. */
  size?: number;
  /** Changing the text replaces the note, too. */
  strict?: boolean;
  /** Says to delete first when replacing. */
  deleteFirst?: boolean;
  /** Makes an operation fail: check, create, partial, update, delete, undefined. */
  fail?: string;
  /** How long create, update and delete take, in milliseconds. */
  delay?: number;
  /** Says so much while it creates, on the note's own line. */
  progress?: string;
  /** Functions of the program run before and after it is created and deleted. */
  hooked?: boolean;
  component?: boolean;
  parent?: string;
  options?: {
    dependsOn?: string[];
    deletedWith?: string;
    aliases?: pulumi.Alias[];
    additionalSecretOutputs?: string[];
    ignoreChanges?: string[];
    replaceOnChanges?: string[];
    protect?: boolean;
    retainOnDelete?: boolean;
    deleteBeforeReplace?: boolean;
  };
}

type Properties = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- what a dynamic provider is handed has no type

// Serialized into the state: every function may only use what it is given, or requires itself.
const provider: pulumi.dynamic.ResourceProvider = {
  async check(_olds: Properties, news: Properties) {
    const failures = news["fail"] === "check" ? [{ property: "text", reason: "this text is not allowed" }] : [];
    return { inputs: news, failures };
  },
  async diff(_id: string, olds: Properties, news: Properties) {
    const keys = ["text", "files", "list", "fail"];
    const replaces = olds["size"] === news["size"] ? [] : ["size"];
    if (news["strict"] && olds["text"] !== news["text"]) replaces.push("text");
    const changes = replaces.length > 0 || keys.some((key) => JSON.stringify(olds[key]) !== JSON.stringify(news[key]));
    return { changes, replaces, deleteBeforeReplace: news["deleteFirst"] === true };
  },
  async create(inputs: Properties) {
    const fs = process.getBuiltinModule("node:fs");
    const note = (what: string) => fs.appendFileSync(`${inputs["folder"]}/log`, `${what} ${inputs["name"]}\n`);
    note("creating");
    if (inputs["progress"]) {
      // How a dynamic provider can speak on a resource's own line; nothing but the SDK's internals allows it.
      process.env["PULUMI_NODEJS_ENGINE"] = process.argv[2];
      const require = process.getBuiltinModule("node:module").createRequire(`${process.cwd()}/`);
      const { log, output } = require("@pulumi/pulumi") as typeof pulumi;
      await (log.info as (...args: unknown[]) => Promise<void>)(inputs["progress"], { urn: output(inputs["ownUrn"]) }, 0, true);
    }
    if (inputs["delay"]) await new Promise((resolve) => setTimeout(resolve, inputs["delay"]));
    if (inputs["fail"] === "create") throw new Error(`cannot create ${inputs["name"]}`);
    const outs = { ...inputs, digest: `digest of ${inputs["text"]}`, extra: `extra of ${inputs["text"]}` };
    note("created");
    if (inputs["fail"] === "partial") throw Object.assign(new Error("half done"), { id: `id-${inputs["name"]}`, properties: outs, reasons: ["only half of it is there"] });
    if (inputs["fail"] === "undefined") return { id: `id-${inputs["name"]}`, outs: { ...outs, nothing: undefined } };
    fs.writeFileSync(`${inputs["folder"]}/${inputs["name"]}-${inputs["size"] ?? 0}`, inputs["text"]);
    return { id: `id-${inputs["name"]}-${inputs["size"] ?? 0}`, outs };
  },
  async update(_id: string, _olds: Properties, news: Properties) {
    const fs = process.getBuiltinModule("node:fs");
    fs.appendFileSync(`${news["folder"]}/log`, `updating ${news["name"]}\n`);
    if (news["delay"]) await new Promise((resolve) => setTimeout(resolve, news["delay"]));
    if (news["fail"] === "update") throw new Error(`cannot update ${news["name"]}`);
    const outs = { ...news, digest: `digest of ${news["text"]}`, extra: `extra of ${news["text"]}` };
    if (news["fail"] === "partial") throw Object.assign(new Error("half done"), { id: _id, properties: outs, reasons: ["only half of it is there"] });
    fs.writeFileSync(`${news["folder"]}/${news["name"]}-${news["size"] ?? 0}`, news["text"]);
    return { outs };
  },
  async read(id: string, props: Properties) {
    const fs = process.getBuiltinModule("node:fs");
    const file = `${props["folder"]}/${props["name"]}-${props["size"] ?? 0}`;
    if (props["text"] === "unreadable") throw new Error(`cannot read ${props["name"]}`);
    if (!fs.existsSync(file)) return {};
    const text = fs.readFileSync(file, "utf8");
    const inputs: Properties = { ...props, text };
    for (const key of ["digest", "extra", "__provider"]) delete inputs[key];
    return { id, props: { ...props, text, digest: `digest of ${text}` }, inputs };
  },
  async delete(_id: string, props: Properties) {
    const fs = process.getBuiltinModule("node:fs");
    fs.appendFileSync(`${props["folder"]}/log`, `deleting ${props["name"]}-${props["size"] ?? 0}\n`);
    if (props["delay"]) await new Promise((resolve) => setTimeout(resolve, props["delay"]));
    if (props["fail"] === "delete") throw new Error(`cannot delete ${props["name"]}`);
    fs.rmSync(`${props["folder"]}/${props["name"]}-${props["size"] ?? 0}`, { force: true });
    fs.appendFileSync(`${props["folder"]}/log`, `deleted ${props["name"]}-${props["size"] ?? 0}\n`);
  },
};

class Note extends pulumi.dynamic.Resource {
  declare readonly digest: pulumi.Output<string>;
  declare readonly extra: pulumi.Output<string>;
  constructor(name: string, type: string, inputs: pulumi.Inputs, options: pulumi.CustomResourceOptions) {
    super(provider, name, { digest: undefined, extra: undefined, ...inputs }, options, "notes", type);
  }
}

class Group extends pulumi.ComponentResource {
  constructor(name: string, type: string, options: pulumi.ComponentResourceOptions) {
    super(`notes:index:${type}`, name, {}, options);
  }
}

const config = new pulumi.Config();
const folder = config.require("folder");
const made = new Map<string, Note | Group>();

const named = (name: string): Note | Group => {
  const resource = made.get(name);
  if (resource === undefined) throw new Error(`no note ${name} yet`);
  return resource;
};

for (const note of config.requireObject<Planned[]>("plan")) {
  const { options = {}, parent } = note;
  const common = {
    ...options,
    ...(parent === undefined ? {} : { parent: named(parent) }),
    dependsOn: (options.dependsOn ?? []).map(named),
    deletedWith: options.deletedWith === undefined ? undefined : named(options.deletedWith),
  };
  if (note.component === true) {
    made.set(note.name, new Group(note.name, note.type ?? "Group", common));
    continue;
  }
  const plain = note.text ?? "hello";
  const secret = note.secret !== true ? plain : note.text === undefined ? config.requireSecret("password") : pulumi.secret(plain);
  const text = note.from !== undefined ? (named(note.from) as Note).digest : secret;
  const { files, list, size, deleteFirst, fail, delay, strict, progress } = note;
  // A property called "urn" would be taken for the resource's own.
  const ownUrn = progress === undefined ? undefined : pulumi.createUrn(note.name, "pulumi-nodejs:dynamic/notes:Note");
  const tell = (what: string) => () => appendFileSync(`${folder}/log`, `hook ${what} ${note.name}\n`);
  const hooks = note.hooked === true ? { hooks: { beforeCreate: [tell("before create")], afterCreate: [tell("after create")], beforeDelete: [new pulumi.ResourceHook(`gone-${note.name}`, tell("before delete"))] } } : {};
  made.set(note.name, new Note(note.name, note.type ?? "Note", { folder, name: note.name, text, files, list, size, deleteFirst, fail, delay, strict, progress, ownUrn }, { ...common, ...hooks }));
}

for (const [name, resource] of made) {
  if (resource instanceof Group) (resource as unknown as { registerOutputs(outputs: pulumi.Inputs): void }).registerOutputs({ group: name });
}

if (config.getBoolean("crash") === true) throw new Error("the program crashes");

export const digests = Object.fromEntries([...made].flatMap(([name, resource]) => (resource instanceof Note ? [[name, resource.digest]] : [])));
export const password = config.getSecret("password") ?? "none";
