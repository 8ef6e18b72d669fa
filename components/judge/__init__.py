"""The Judge: judges a model as it will be used, on images that it was not trained or chosen on.

Public interface: the component `Judge` (`component`), judging without a pipeline
(`labelled_folder`), and the files of a judgement (`judgement_files`). The package `judging` holds
the statistics and the verdict.
"""
