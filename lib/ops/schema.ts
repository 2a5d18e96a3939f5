/** One argument or result type of an operator, such as `Tensor(a!)`, `SymInt[2]?` or `Tensor?[]`. */
export interface SchemaType {
  /** `Tensor`, `Scalar`, `int` (also for SymInt), `float`, `bool`, `str`, `ScalarType`, `Device`, ... */
  readonly base: string;
  readonly optional: boolean;
  readonly list: boolean;
  /** The length of a list that also takes one value for all its places (`int[2]`). */
  readonly size: number | undefined;
  readonly elementOptional: boolean;
  /** The operator writes to it. */
  readonly mutated: boolean;
}

export interface SchemaArgument extends SchemaType {
  readonly name: string;
  /** The name in TypeScript: camelCase. */
  readonly key: string;
  /** The default as libtorch prints it; undefined where the argument is required. */
  readonly defaultText: string | undefined;
  readonly keywordOnly: boolean;
}

/** A returned value, with its name where the schema gives one. */
export interface SchemaReturn extends SchemaType {
  readonly name: string | undefined;
}

export interface Schema {
  readonly text: string;
  /** With its namespace where that is not `aten`. */
  readonly name: string;
  readonly overload: string;
  readonly arguments: readonly SchemaArgument[];
  readonly returns: readonly SchemaReturn[];
}

/** Turns `max_pool2d` into `maxPool2d`; a trailing underscore (in place) and leading ones stay. */
export function camelCase(name: string): string {
  return name.replace(/(?<=[A-Za-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

// Splits at commas outside brackets and quotes.
function splitTopLevel(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === '"' || c === "'") quoted = !quoted;
    if (quoted) continue;
    if (c === '(' || c === '[') depth++;
    else if (c === ')' || c === ']') depth--;
    else if (c === ',' && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  const last = text.slice(start).trim();
  if (last) parts.push(last);
  return parts;
}

const typePattern = /^([\w.]+)(\([^)]*\))?(\?)?(\[(\d*)\])?(\([^)]*\))?(\?)?$/;

function parseType(text: string): SchemaType {
  const match = typePattern.exec(text);
  if (!match)
    return {
      base: text,
      optional: false,
      list: false,
      size: undefined,
      elementOptional: false,
      mutated: false,
    };
  const [, base = text, alias = '', innerOptional, list, size, listAlias = '', outerOptional] =
    match;
  return {
    base: base
      .replace(/^Sym(?=Int|Float|Bool)/, '')
      .replace(/^(Int|Float|Bool)$/, (name) => name.toLowerCase()),
    optional: outerOptional !== undefined || (innerOptional !== undefined && list === undefined),
    list: list !== undefined,
    size: size ? Number(size) : undefined,
    elementOptional: innerOptional !== undefined && list !== undefined,
    mutated: (alias + listAlias).includes('!'),
  };
}

function parseArgument(text: string, keywordOnly: boolean): SchemaArgument {
  const equals = text.indexOf('=');
  const declaration = equals < 0 ? text : text.slice(0, equals);
  const space = declaration.lastIndexOf(' ');
  const name = declaration.slice(space + 1);
  return {
    ...parseType(declaration.slice(0, space).trim()),
    name,
    key: camelCase(name),
    defaultText: equals < 0 ? undefined : text.slice(equals + 1),
    keywordOnly,
  };
}

function parseReturns(text: string): SchemaReturn[] {
  const list = text.startsWith('(') ? splitTopLevel(text.slice(1, -1)) : [text];
  return list.map((item) => {
    const name = / (\w+)$/.exec(item)?.[1];
    return { ...parseType(name === undefined ? item : item.slice(0, -name.length - 1)), name };
  });
}

/**
 * Parses a schema as libtorch prints it: `aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`.
 * Source: the grammar of PyTorch's `function_schema_parser`, as far as `aten` uses it.
 */
export function parseSchema(text: string): Schema {
  const open = text.indexOf('(');
  const arrow = text.lastIndexOf(') -> ');
  const [name = '', overload = ''] = text
    .slice(0, open)
    .replace(/^aten::/, '')
    .split('.');
  let keywordOnly = false;
  const args: SchemaArgument[] = [];
  for (const part of splitTopLevel(text.slice(open + 1, arrow))) {
    if (part === '*') keywordOnly = true;
    else args.push(parseArgument(part, keywordOnly));
  }
  return { text, name, overload, arguments: args, returns: parseReturns(text.slice(arrow + 5)) };
}
