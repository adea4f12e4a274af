import type { Module } from '@burin/nn';

/** Puts a model into evaluation mode; the function that it returns puts each part back as it was. */
export function beginEvaluation(model: Module): () => void {
  const training = [...model.namedModules()].filter(([, module]) => module.training);
  model.eval();
  return () => {
    for (const [, module] of training) module.training = true;
  };
}
