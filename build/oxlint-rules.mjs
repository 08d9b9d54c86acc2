// Rules of our own for oxlint.

const OVERFLOWS = /^(push|unshift|splice|min|max|fromCharCode|fromCodePoint)$/;

/** Each element of a spread takes stack, which a list of a file's 200,000 tensors overflows. */
const noLongSpread = {
  create: (context) => ({
    CallExpression(node) {
      if (!OVERFLOWS.test(node.callee.property?.name ?? '')) return;
      for (const argument of node.arguments)
        if (argument.type === 'SpreadElement')
          context.report({
            node: argument,
            message:
              'a long list overflows the stack: use append, largest or smallest of shared/lists.ts',
          });
    },
  }),
};

export default { meta: { name: 'own' }, rules: { 'no-long-spread': noLongSpread } };
