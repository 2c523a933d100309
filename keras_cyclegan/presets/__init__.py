from keras_cyclegan.files.torch_checkpoint import read_state_dict as read_state_dict
from keras_cyclegan.presets.convert import convert_checkpoints as convert_checkpoints
from keras_cyclegan.presets.convert import convert_network as convert_network
from keras_cyclegan.presets.folder import save_to_preset as save_to_preset
from keras_cyclegan.presets.handles import from_preset as from_preset
from keras_cyclegan.presets.hubs import upload_preset as upload_preset
from keras_cyclegan.presets.table import list_presets as list_presets
