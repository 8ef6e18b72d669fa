"""The Siamese network: encoder, backbone, pair head, losses, augmentation."""
