"""Kubeflow's message for the settings of Kubernetes, to parse compiled files strictly.

These are the fields of kfp-kubernetes 2.17 that this project writes, with their names and types
there. The package itself needs a newer protobuf than TFX 1.16 has, and kfp, which TFX 1.21 does not
allow on Python 3.12 and 3.13.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_MESSAGES = {
    "SecretKeyToEnv": {"secret_key": str, "env_var": str},
    "SecretAsEnv": {"secret_name": str, "key_to_env": ["SecretKeyToEnv"]},
    "PvcMount": {"constant": str, "mount_path": str},
    "NodeSelector": {"labels": ["LabelsEntry"]},
    "ImagePullSecret": {"secret_name": str},
    "Toleration": {"key": str, "operator": str, "value": str, "effect": str},
    "EmptyDirMount": {"volume_name": str, "mount_path": str, "size_limit": str},
    "KubernetesExecutorConfig": {
        "secret_as_env": ["SecretAsEnv"],
        "pvc_mount": ["PvcMount"],
        "node_selector": "NodeSelector",
        "image_pull_secret": ["ImagePullSecret"],
        "active_deadline_seconds": int,
        "tolerations": ["Toleration"],
        "empty_dir_mounts": ["EmptyDirMount"],
    },
}


def _message_class():
    file = descriptor_pb2.FileDescriptorProto(name="executor_config.proto", package="kfp_test")
    file.syntax = "proto3"
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            repeated = isinstance(kind, list)
            inner = kind[0] if repeated else kind
            added = message.field.add(
                name=field,
                number=number,
                label=_FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL,
            )
            if isinstance(inner, str):
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".kfp_test.{inner}"
            else:
                added.type = _FIELD.TYPE_INT64 if inner is int else _FIELD.TYPE_STRING
    # A map is a list of pairs with this option.
    labels = next(one for one in file.message_type if one.name == "NodeSelector")
    entry = labels.nested_type.add(name="LabelsEntry")
    entry.options.map_entry = True
    for number, field in enumerate(("key", "value"), 1):
        entry.field.add(
            name=field, number=number, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL
        )
    labels.field[0].type_name = ".kfp_test.NodeSelector.LabelsEntry"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName("kfp_test.KubernetesExecutorConfig")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(found)
    return message_factory.MessageFactory(pool).GetPrototype(found)  # protobuf 3


KubernetesExecutorConfig = _message_class()
