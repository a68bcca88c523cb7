/**
 * Counts where code goes: a transformer of TypeScript that puts `__hits[N]++` at the start of each function, branch, loop, case and
 * handler, and at each operand that may be passed over. Two runs that go through the code differently then have different counts.
 */
import ts from 'typescript'

/** The counters of the process, as the code that is built finds them. */
export const COUNTERS = '__hits'

const MAX_LITERAL_CHARACTERS = 40

/** @param {{ next: number, literals: Set<string> }} counting the number of the next counter, and the texts that were found */
export function countBranches(counting) {
  return (context) => {
    const { factory } = context
    const hit = () =>
      factory.createPostfixIncrement(
        factory.createElementAccessExpression(factory.createIdentifier(COUNTERS), counting.next++),
      )
    const statement = () => factory.createExpressionStatement(hit())
    const expression = (node) =>
      factory.createParenthesizedExpression(
        factory.createBinaryExpression(
          hit(),
          ts.SyntaxKind.CommaToken,
          factory.createParenthesizedExpression(node),
        ),
      )
    const block = (node) => {
      if (node === undefined) return factory.createBlock([statement()])
      return ts.isBlock(node)
        ? factory.updateBlock(node, [statement(), ...node.statements])
        : factory.createBlock([statement(), node])
    }

    /** Whether the right operand may be passed over. */
    const passesOver = ({ operatorToken }) =>
      operatorToken.kind === ts.SyntaxKind.AmpersandAmpersandToken ||
      operatorToken.kind === ts.SyntaxKind.BarBarToken ||
      operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken

    const noteLiteral = ({ text }) => {
      if (text.length > 1 && text.length <= MAX_LITERAL_CHARACTERS) counting.literals.add(text)
    }

    const visit = (node) => {
      // Types are erased: what stands in them is not run.
      if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node))
        return node
      if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node
      if (ts.isStringLiteral(node)) noteLiteral(node)
      const seen = ts.visitEachChild(node, visit, context)
      if (ts.isIfStatement(seen)) {
        return factory.updateIfStatement(
          seen,
          seen.expression,
          block(seen.thenStatement),
          block(seen.elseStatement),
        )
      }
      if (ts.isConditionalExpression(seen)) {
        return factory.updateConditionalExpression(
          seen,
          seen.condition,
          seen.questionToken,
          expression(seen.whenTrue),
          seen.colonToken,
          expression(seen.whenFalse),
        )
      }
      if (ts.isBinaryExpression(seen) && passesOver(seen)) {
        return factory.updateBinaryExpression(seen, seen.left, seen.operatorToken, expression(seen.right))
      }
      if (ts.isForStatement(seen)) {
        const { initializer, condition, incrementor } = seen
        return factory.updateForStatement(seen, initializer, condition, incrementor, block(seen.statement))
      }
      if (ts.isForOfStatement(seen)) {
        const { awaitModifier, initializer } = seen
        return factory.updateForOfStatement(
          seen,
          awaitModifier,
          initializer,
          seen.expression,
          block(seen.statement),
        )
      }
      if (ts.isForInStatement(seen)) {
        return factory.updateForInStatement(seen, seen.initializer, seen.expression, block(seen.statement))
      }
      if (ts.isWhileStatement(seen)) {
        return factory.updateWhileStatement(seen, seen.expression, block(seen.statement))
      }
      if (ts.isDoStatement(seen)) {
        return factory.updateDoStatement(seen, block(seen.statement), seen.expression)
      }
      if (ts.isCaseClause(seen)) {
        return factory.updateCaseClause(seen, seen.expression, [statement(), ...seen.statements])
      }
      if (ts.isDefaultClause(seen))
        return factory.updateDefaultClause(seen, [statement(), ...seen.statements])
      if (ts.isCatchClause(seen)) {
        return factory.updateCatchClause(seen, seen.variableDeclaration, block(seen.block))
      }
      if (ts.isArrowFunction(seen) && !ts.isBlock(seen.body)) {
        return factory.updateArrowFunction(
          seen,
          seen.modifiers,
          seen.typeParameters,
          seen.parameters,
          seen.type,
          seen.equalsGreaterThanToken,
          expression(seen.body),
        )
      }
      // The body of any other function: a block, which has a function for a parent.
      if (ts.isBlock(seen) && node.parent !== undefined && ts.isFunctionLike(node.parent)) return block(seen)
      return seen
    }
    return (file) => ts.visitEachChild(file, visit, context)
  }
}
