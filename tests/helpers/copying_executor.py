"""An executor of TFX: writes to its model what TensorFlow reads from its examples."""

import copy
import json
import os

import tensorflow as tf
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.proto.orchestration.execution_result_pb2 import ExecutorOutput
from tfx.types import artifact_utils


class Executor(BaseExecutor):
    """Fails if the property `fail` is set."""

    def Do(self, input_dict, output_dict, exec_properties):
        source = artifact_utils.get_single_uri(input_dict["examples"])
        model = artifact_utils.get_single_instance(output_dict["model"])
        with tf.io.gfile.GFile(os.path.join(source, "Split-test", "x")) as file:
            text = file.read()
        with tf.io.gfile.GFile(os.path.join(model.uri, "about.json"), "w") as file:
            json.dump({"text": text, "from": source, "temporary": self._get_tmp_dir()}, file)
        model.set_string_custom_property("trained_on", f"{source}/Split-test")
        output_dict.update(copy.deepcopy(output_dict))  # as executors made of functions
        output = ExecutorOutput()  # as ExampleValidator's
        output.output_artifacts["model"].artifacts.append(model.mlmd_artifact)
        if exec_properties.get("fail"):
            raise ZeroDivisionError(model.uri)
        return output
