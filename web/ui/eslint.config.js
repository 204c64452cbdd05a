import path from 'node:path'
import vue from 'eslint-plugin-vue'
import ts from 'typescript-eslint'

const featureOf = (file) => /[\\/]src[\\/]features[\\/]([^\\/]+)/.exec(file)?.[1]

// A feature may use app, api, live, design and composables, never another feature:
// deleting its folder must leave no trace elsewhere.
const featuresStandAlone = {
  create(context) {
    const own = featureOf(context.filename)
    const check = (node) => {
      const source = node.source?.value
      if (!own || typeof source !== 'string') return
      const target = source.startsWith('@/')
        ? path.join('/src', source.slice(2))
        : source.startsWith('.') ? path.resolve(path.dirname(context.filename), source) : ''
      const other = featureOf(target)
      if (other && other !== own) context.report({ node, message: `feature "${own}" must not import feature "${other}"` })
    }
    return { ImportDeclaration: check, ImportExpression: check, ExportNamedDeclaration: check, ExportAllDeclaration: check }
  },
}

export default ts.config(
  { ignores: ['dist', 'node_modules'] },
  ...ts.configs.recommended,
  ...vue.configs['flat/essential'],
  { files: ['**/*.vue'], languageOptions: { parserOptions: { parser: ts.parser } } },
  {
    plugins: { house: { rules: { 'features-stand-alone': featuresStandAlone } } },
    rules: {
      'house/features-stand-alone': 'error',
      'vue/multi-word-component-names': 'off',
      'vue/no-v-html': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }],
    },
  },
)
