import { camelCase, type Schema, type SchemaArgument, type SchemaType } from '../../lib/ops/schema';

const typeNames: Readonly<Record<string, string>> = {
  Tensor: 'Tensor',
  Scalar: 'Scalar',
  int: 'number',
  float: 'number',
  bool: 'boolean',
  str: 'string',
  ScalarType: 'DType',
  Device: 'Device',
  Layout: 'Layout',
  MemoryFormat: 'MemoryFormat',
  Generator: 'Generator',
};

/** Tells whether TypeScript can hold all that an overload takes and gives, and the overload allocates its results. */
export function isGeneratable({ arguments: args, returns, overload }: Schema): boolean {
  const known = [...args, ...returns].every((type) => type.base in typeNames);
  const writesToOption = args.some((argument) => argument.keywordOnly && argument.mutated);
  return (
    known &&
    !writesToOption &&
    !overload.endsWith('_hacked_twin') &&
    args.some(({ base }) => base === 'Tensor')
  );
}

function typeOf(type: SchemaType): string {
  const name = typeNames[type.base] ?? 'unknown';
  const element = type.elementOptional ? `(${name} | null)` : name;
  const list = type.list ? `readonly ${element}[]` : element;
  const oneForAll = type.list && type.size !== undefined ? `${name} | ` : '';
  return `${oneForAll}${list}${type.optional ? ' | null' : ''}`;
}

const isRequired = (argument: SchemaArgument): boolean =>
  argument.defaultText === undefined && !(argument.keywordOnly && argument.optional);

// A parameter must not be a word of the language.
const parameterName = (key: string): string =>
  ['default', 'var', 'with', 'from', 'in'].includes(key) ? `${key}_` : key;

function options(args: readonly SchemaArgument[]): string {
  if (args.length === 0) return '';
  const fields = args.map(
    (argument) => `${argument.key}${isRequired(argument) ? '' : '?'}: ${typeOf(argument)}`,
  );
  return `options${args.some(isRequired) ? '' : '?'}: { ${fields.join('; ')} }`;
}

function resultOf(schema: Schema, self: string): string {
  const results = schema.returns.map((type) => {
    if (type.mutated) return self;
    const name = typeNames[type.base] ?? 'unknown';
    return `${name}${type.list ? '[]' : ''}${type.optional ? ' | null' : ''}`;
  });
  if (results.length === 0) return 'void';
  if (results.length === 1) return results[0] ?? 'void';
  const named = schema.returns.every((type) => type.name !== undefined);
  return `[${results.map((result, i) => (named ? `${camelCase(schema.returns[i]?.name ?? '')}: ${result}` : result)).join(', ')}]`;
}

/**
 * Writes the call signatures of one overload, without its name: `(other: Tensor, options?: { alpha?: Scalar }): Tensor`.
 * Optional arguments go in a last object or, where libtorch takes them so, by position.
 */
export function signatures(schema: Schema, asMethod: boolean): string[] {
  const all = asMethod ? schema.arguments.slice(1) : schema.arguments;
  const keywords = all.filter((argument) => argument.keywordOnly);
  const positional = all.filter((argument) => !argument.keywordOnly);
  const required = positional.filter(isRequired);
  const declare = (argument: SchemaArgument, optional: boolean): string =>
    `${parameterName(argument.key)}${optional ? '?' : ''}: ${typeOf(argument)}`;
  const result = resultOf(schema, asMethod ? 'this' : 'Tensor');
  const form = (parameters: readonly string[]): string =>
    `(${parameters.filter(Boolean).join(', ')}): ${result}`;

  const rest = all.filter((argument) => !required.includes(argument));
  const forms = [form([...required.map((argument) => declare(argument, false)), options(rest)])];
  if (required.length < positional.length) {
    // A required option can't follow optional parameters.
    const last = keywords.some(isRequired) ? '' : options(keywords);
    forms.push(
      form([...positional.map((argument) => declare(argument, !isRequired(argument))), last]),
    );
  }
  const [only, ...more] = positional;
  if (
    asMethod &&
    only &&
    more.length === 0 &&
    only.base === 'int' &&
    only.list &&
    only.size === undefined
  ) {
    forms.push(form([`...${only.key}: number[]`]));
  }
  return forms;
}

/** Writes the doc comment of an operator: its schemas, what it writes to, and where PyTorch describes it. */
export function docComment(name: string, schemas: readonly Schema[], indent = ''): string {
  const written = [
    ...new Set(
      schemas.flatMap((schema) =>
        schema.arguments.filter(({ mutated }) => mutated).map(({ key }) => key),
      ),
    ),
  ];
  const lines = [
    `Calls libtorch's \`${name}\`${written.length > 0 ? `, which writes to \`${written.join('`, `')}\`` : ''}:`,
    ...schemas.map((schema) => `- \`${schema.text.replace(/^aten::/, '')}\``),
    '',
    `@see https://docs.pytorch.org/docs/stable/search.html?q=torch.${name}`,
  ];
  return ['/**', ...lines.map((line) => ` * ${line}`.trimEnd()), ' */']
    .map((line) => indent + line)
    .join('\n');
}
