const most = 20;

/**
 * A name that came from a node, fit for a message: what is not plain text (line breaks, control characters) is written
 * as an escape.
 */
export function shownName(name: string): string {
  const short = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  return /^[\x21-\x7e]+$/.test(name) ? short : JSON.stringify(short);
}

/** Names in one line; a long list is cut, with the number of the rest. */
export function nameList(names: string[]): string {
  const rest = names.length - most;
  return [...names.slice(0, most).map(shownName), ...(rest > 0 ? [`and ${rest} more`] : [])].join(", ");
}
